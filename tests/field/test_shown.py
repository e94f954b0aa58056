"""What comes from outside is shown as it is, whatever it holds."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from nearline.cli.deadletters import table_of
from nearline.cli.explain import show
from nearline.demo.alerts import alert_table
from nearline.shown import cell, markup, visible
from pipeline.alert import Fate
from pipeline.explain import Explanation, QuotaCheck, ScoreCheck, TermCheck
from pipeline.filters import FilterCheck
from schemas.keys import US_PER_DAY
from schemas.records import Alert, FeatureRecord, SavedSearch
from streaming.kafka.messages import Message, dead_letter
from streaming.tools.dead_letters import StoredLetter, stored

MARKUP = [
    ":cat: [/b] closes nothing",
    "[/INST]",
    "[bold",
    "[b]x[/b]",
    "a\\",
    "[x]\\[/y]",
    "[link=http://e.org]z[/link]",
]
FAR_DAY = 253_402_318_799_000_000 // US_PER_DAY


def printed(what: object) -> str:
    out = io.StringIO()
    Console(file=out, width=300).print(what)
    return out.getvalue()


def letter(value: bytes, reason: str, topic: str = "postings.updates", at_ms: int = 0) -> StoredLetter:
    out = dead_letter(Message(topic, 2, 7, 0, b"p1", value), reason)
    return stored(Message(out.topic, 0, 5, at_ms, out.key, out.value, out.headers), set())


@pytest.mark.parametrize("text", MARKUP)
def test_a_dead_letter_with_square_brackets_is_listed_as_it_is(text: str) -> None:
    shown = printed(table_of([letter(text.encode(), f"because of {text}", f"topic{text}")]))
    assert f"because of {text}" in shown
    assert f"topic{text}/2/7" in shown
    assert shown.count(text) == 3


@pytest.mark.parametrize("at_ms", [-1, 2**53, 253_402_300_800_000])
def test_a_letter_of_any_time_is_listed(at_ms: int) -> None:
    assert "reason" in printed(table_of([letter(b"x", "reason", at_ms=at_ms)]))


def test_control_characters_reach_no_terminal() -> None:
    shown = printed(table_of([letter(b"\x1b[2J\x07\x00gone\x9b\x7f", "a\x1b]0;title\x07 \u202eb")]))
    assert not {"\x1b", "\x07", "\x00", "\x9b", "\x7f", "\u202e"} & set(shown)
    assert "␛[2J␇␀gone" in shown
    assert visible("tab\tand\nline") == "tab\tand\nline"


@given(st.text(st.characters()) | st.text("\\[]/ab"))
@example("\\[")
@example("\\\\")
@example("\\[b]\\")
def test_any_text_can_be_shown_in_a_cell_and_inside_markup(text: str) -> None:
    inside, alone = io.StringIO(), io.StringIO()
    Console(file=inside, width=10_000, soft_wrap=True).print(
        f"[bold]{markup(text)}[/]", highlight=False, emoji=False
    )
    Console(file=alone, width=10_000, soft_wrap=True).print(cell(text))
    assert inside.getvalue() == alone.getvalue()


@pytest.mark.parametrize("text", MARKUP)
def test_an_explanation_shows_texts_of_searches_postings_and_servers_as_they_are(text: str) -> None:
    made = Explanation(
        search=SavedSearch(search_id="s", query=text, top_k=3),
        posting_id="p",
        record=FeatureRecord(
            posting_id="p", version=FAR_DAY * US_PER_DAY, title=text, company=text, model=text
        ),
        description=text,
        filters=(FilterCheck(name="location", wanted=text, found=text, passed=False),),
        terms=TermCheck(found=(text,), missing=(text,), needed=1),
        score=ScoreCheck(prompt=text, tokens=3, p_yes=0.5, threshold=0.5, cached=False, model=text),
        alert_id="ab" * 16,
        ledger=None,
        quota=QuotaCheck(day=FAR_DAY, used=0, allowed=3),
        fate=Fate.ALERTED,
        why=text,
    )
    out = io.StringIO()
    show(made, Console(file=out, width=300, emoji=False))
    shown = out.getvalue()
    assert shown.count(text) >= 10
    assert "record 10000-01-01T00:00:00+00:00" in shown
    assert "used on 10000-01-01, the posting's event-time day" in shown


@pytest.mark.parametrize("text", [*MARKUP, "\x1b[2J"])
def test_an_alert_is_listed_as_it_is(text: str) -> None:
    alert = Alert(
        alert_id="a", search_id="s", posting_id="p", query=text, title=text, company=text, p_yes=0.5, version=1,
        episode=1, model="m", updated_ms=0,
    )  # fmt: skip
    assert printed(alert_table([alert], title="1 alert", width=300)).count(visible(text)) == 3
