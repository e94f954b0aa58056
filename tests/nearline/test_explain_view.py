"""What `nearline explain` prints of quota and ledger."""

import io
from dataclasses import replace

from rich.console import Console

from nearline.cli.explain import show
from pipeline.alert import Fate
from pipeline.explain import Explanation, QuotaCheck
from pipeline.filters import FilterCheck
from schemas.keys import US_PER_DAY
from schemas.records import FeatureRecord, SavedSearch
from schemas.vectors import with_vector
from storage.ledger_entry import LedgerEntry, Sent

MADE = Explanation(
    search=SavedSearch(search_id="s", query="nurse [nights]", top_k=3),
    posting_id="p",
    record=FeatureRecord(posting_id="p", version=20_516 * US_PER_DAY, title="Nurse [m/f/d]"),
    description=None,
    filters=(FilterCheck(name="location", wanted="[Leeds]", found="York", passed=False),),
    terms=None,
    score=None,
    alert_id="ab" * 16,
    ledger=None,
    quota=QuotaCheck(day=20_516, used=2, allowed=3),
    fate=Fate.ALERTED,
    why="it passes",
)


def shown(made: Explanation) -> str:
    out = io.StringIO()
    show(made, Console(file=out, width=200))
    return out.getvalue()


def test_the_quota_of_the_day_is_shown_as_used_and_allowed() -> None:
    assert "✓ quota: 2 of 3 alerts used on 2026-03-04" in shown(MADE)
    full = replace(MADE, quota=QuotaCheck(day=20_516, used=3, allowed=3))
    assert "✗ quota: 3 of 3 alerts used on 2026-03-04" in shown(full)


def test_text_and_summary_stand_together_and_what_the_summary_repeats_is_marked() -> None:
    assert MADE.record is not None
    record = replace(MADE.record, summary="nights are paid; a car", input_tokens=9, summary_tokens=7)
    told = shown(
        replace(MADE, record=record, description="A ward. <p>nights are paid. We lend a car [new].</p>")
    )
    assert "text     A ward. ⟦nights are paid⟧. We lend ⟦a car⟧ [new]." in told
    assert "summary  nights are paid; a car  (9 tokens before, 7 after)" in told
    written = replace(MADE, record=replace(record, summary="a night nurse"), description="nights are paid")
    assert "text     nights are paid\n" in shown(written)


def test_the_vector_line_says_whose_it_is_or_why_there_is_none() -> None:
    assert MADE.record is not None
    assert "vector   none: no embedder has read these texts" in shown(MADE)
    made = with_vector(MADE.record, b"12" * 256, "embedder@2", 2)
    assert "vector   256 numbers by embedder@2" in shown(replace(MADE, record=made))
    refused = with_vector(MADE.record, b"", "embedder@2", 2)
    assert "vector   none: embedder@2 gives none for these texts" in shown(replace(MADE, record=refused))


def test_a_search_without_top_k_has_no_quota_line() -> None:
    assert "quota" not in shown(replace(MADE, quota=None))


def test_the_ledger_line_says_whether_it_holds_the_alert_and_from_which_request() -> None:
    assert f"ledger   does not hold alert {'ab' * 16}\n" in shown(MADE)
    entry = LedgerEntry(partition=2, offset=8, sent=Sent.SENT, request_ms=1_000, request_id=b"r" * 16)
    line = f"holds alert {'ab' * 16}: sent for score.requests/2/8 of 1970-01-01T00:00:01+00:00, request 7272"
    assert line in shown(replace(MADE, ledger=entry))
    cut_off = replace(entry, sent=Sent.CLAIMED)
    assert "claimed, its transaction was cut off" in shown(replace(MADE, ledger=cut_off))
    assert "counts as sent" in shown(replace(MADE, ledger=replace(entry, sent=Sent.UNMARKED)))


def test_brackets_in_what_people_wrote_are_no_markup() -> None:
    assert "Nurse [m/f/d]" in shown(MADE)
    assert "'nurse [nights]'" in shown(MADE)
    assert "✗ location: wanted [Leeds], has York" in shown(MADE)
