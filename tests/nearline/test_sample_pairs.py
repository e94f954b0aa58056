"""The sample's judged pairs: whole, and how many of the shipped ranker's alerts they find right."""

import json
from pathlib import Path

import pytest

from nearline.demo.pairs import Should, check, read_pairs
from schemas.errors import ConfigError
from schemas.events import BrokenLine, read_events, read_searches
from schemas.records import Alert

SAMPLE = Path(__file__).parents[2] / "nearline" / "sample"
PAIRS = SAMPLE / "pairs.jsonl"
UNREADABLE = {"blank-form-7781", "stage-hand-ghent", "lock-keeper-nantes", "glazier-tampere"}
"""Postings of broken lines, or that never come."""


def posting_ids() -> set[str]:
    events = read_events(SAMPLE / "stream.jsonl")
    return {event.posting_id for event in events if not isinstance(event, BrokenLine)}


def alert(search: str, posting: str, p_yes: float = 0.9) -> Alert:
    return Alert(
        alert_id="",
        search_id=search,
        posting_id=posting,
        version=1,
        episode=1,
        query="q",
        title="t",
        company=None,
        p_yes=p_yes,
        model="ranker@3",
        updated_ms=0,
    )


def test_every_pair_names_a_search_and_a_posting_of_the_sample() -> None:
    pairs = read_pairs(PAIRS)
    assert len(pairs) >= 150
    assert {search for search, _ in pairs} <= {s.search_id for s in read_searches(SAMPLE / "searches.jsonl")}
    assert {posting for _, posting in pairs} <= posting_ids()
    assert all(pair.why for pair in pairs.values())


def test_no_trade_of_the_sample_is_missing() -> None:
    judged = {posting for _, posting in read_pairs(PAIRS)}
    assert posting_ids() - judged <= UNREADABLE


def test_most_judged_pairs_are_clear_and_a_third_of_those_should_alert() -> None:
    should = [pair.should for pair in read_pairs(PAIRS).values()]
    clear = len(should) - should.count(Should.EITHER)
    assert clear > 0.8 * len(should)
    assert should.count(Should.YES) > clear / 3


def test_alerts_are_sorted_by_their_judgements_and_a_pair_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    rows = [("s", "good", "yes"), ("s", "bad", "no"), ("s", "so-so", "either"), ("s", "late", "yes")]
    path.write_text(
        "".join(json.dumps({"search": s, "posting": p, "alert": a, "why": "w"}) + "\n" for s, p, a in rows)
    )
    pairs = read_pairs(path)
    sent = [alert("s", name) for name in ("good", "good", "bad", "so-so", "new")]
    found = check([*sent, alert("s", "good", 0.95)], pairs)
    assert [a.p_yes for a in found.right] == [0.95]
    assert [a.posting_id for a in found.wrong] == ["bad"]
    assert [a.posting_id for a in found.either] == ["so-so"]
    assert [a.posting_id for a in found.unjudged] == ["new"]
    assert [pair.posting_id for pair in found.missed] == ["late"]
    assert found.precision == 0.5


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{",
        '{"search": "s", "posting": "p", "alert": "maybe", "why": "w"}',
        '{"search": "s", "posting": "p", "alert": "yes"}',
        '{"search": "s", "posting": "p", "alert": "yes", "why": "w"}\n' * 2,
    ],
)
def test_a_judgement_that_is_wrong_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(line)
    with pytest.raises(ConfigError, match=r"pairs\.jsonl, line \d"):
        read_pairs(path)
