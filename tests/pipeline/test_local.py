"""The whole path in one process: any batch size, any order, one end state."""

import itertools
import math
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.ranker import LexicalRanker
from models.summarizer import InstantSummarizer
from pipeline.local import LocalPath, LocalSettings
from schemas.events import BrokenLine, read_events
from schemas.records import FeatureRecord, Op, Outcome, PostingUpdate, SavedSearch
from storage.memory import MemoryStore
from tests.pipeline.builders import content, search, update
from tests.support import data

ROOT = Path(__file__).parents[2]
GOV = data.FOLDER / "stream_gov_tts.jsonl.gz"
SAMPLE = ROOT / "nearline/sample/stream.jsonl"
Event = PostingUpdate | BrokenLine


def path(batch_size: int = 64, searches: list[SavedSearch] | None = None) -> LocalPath:
    kv = MemoryStore(lambda: 1_000.0)
    made = LocalPath(
        kv,
        InstantSummarizer(),
        LexicalRanker(),
        LocalSettings(batch_size=batch_size, max_ahead_s=math.inf),
        clock=lambda: 1_000.0,
    )
    made.subscribe(searches or [])
    return made


def end_state(events: list[Event], batch_size: int = 64) -> list[FeatureRecord]:
    made = path(batch_size)
    made.replay(events)
    return list(made.features.scan())


def by_hand(events: list[PostingUpdate]) -> dict[str, tuple[object, ...]]:
    """What is visible of each posting in the end, by the plainest reading of docs/semantics.md#registers."""
    ends: dict[str, tuple[object, ...]] = {}
    for posting_id in {event.posting_id for event in events}:
        mine = [event for event in events if event.posting_id == posting_id]
        removed = max((e.version for e in mine if e.op is Op.REMOVE), default=-1)
        texts = [e for e in mine if e.op not in (Op.CLOSE, Op.REMOVE) and e.posting and e.version > removed]
        states = [e for e in mine if e.op is not Op.UPDATE]
        newest = max(texts, key=lambda e: e.version, default=None)
        state = max(states, key=lambda e: e.version).op if states else Op.ADD
        name = {Op.CLOSE: "closed", Op.REMOVE: "removed"}.get(state, "open")
        posting = newest.posting if newest is not None else None
        version = max(e.version for e in mine if e.op is not Op.UPDATE or e.version > removed)
        ends[posting_id] = (name, version, posting.title if posting else "", newest.version if newest else -1)
    return ends


def visible(records: list[FeatureRecord]) -> dict[str, tuple[object, ...]]:
    return {r.posting_id: (str(r.state), r.version, r.title, r.content_version) for r in records}


def messed_up(events: list[Event], seed: int) -> list[Event]:
    """The events shuffled, a third of them twice, and 200 in a row once more at the end."""
    rng = random.Random(seed)
    mess = events + rng.sample(events, len(events) // 3)
    rng.shuffle(mess)
    start = rng.randrange(len(mess))
    return mess + mess[start : start + 200]


@data.needs_data(GOV.name)
@pytest.mark.timeout(60)
def test_the_federal_stream_ends_in_the_plain_fold_whatever_its_order_and_batches() -> None:
    events = list(read_events(GOV))
    updates = [event for event in events if isinstance(event, PostingUpdate)]
    assert len(events) == len(updates) == 1465
    undisturbed = end_state(events, 1)
    assert visible(undisturbed) == by_hand(updates)
    assert all(record.summary_hash == record.input_hash for record in undisturbed)
    for seed, size in ((1, 1), (2, 100), (3, 2000)):
        assert end_state(messed_up(events, seed), size) == undisturbed


@pytest.mark.timeout(60)
def test_the_sample_stream_has_the_same_outcomes_and_end_for_every_batch_size() -> None:
    events = list(read_events(SAMPLE))
    results = []
    for size in (1, 7, 1000):
        made = path(size)
        outcomes = [row.outcome for batch in _cut(events, size) for row in made.push(batch)]
        results.append((outcomes, list(made.features.scan())))
    assert results[0] == results[1] == results[2]
    assert len(results[0][0]) == len(events)
    broken = sum(isinstance(event, BrokenLine) for event in events)
    assert Counter(results[0][0])[Outcome.DEAD_LETTERS] == broken > 0
    for seed in (1, 2):
        assert end_state(messed_up(events, seed), 50) == results[0][1]


def _cut(events: list[Event], size: int) -> list[list[Event]]:
    return [events[i : i + size] for i in range(0, len(events), size)]


_postings = st.builds(content, st.sampled_from(["Nurse", "Chef"]), st.sampled_from(["", "ward", "kitchen"]))


@st.composite
def _updates(draw: st.DrawFn) -> PostingUpdate:
    op = draw(st.sampled_from(Op))
    needs = op in (Op.ADD, Op.UPDATE, Op.REPOST)
    posting = draw(_postings if needs else st.none() | _postings)
    return update(draw(st.sampled_from("ab")), draw(st.integers(0, 6)), op, posting)


@pytest.mark.timeout(60)
@given(st.lists(_updates(), max_size=25), st.integers(1, 8))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_outcomes_and_store_do_not_depend_on_the_batch_size(events: list[PostingUpdate], size: int) -> None:
    one, many = path(1), path(size)
    by_one = [row.outcome for event in events for row in one.push([event])]
    in_batches = [row.outcome for batch in _cut(list(events), size) for row in many.push(batch)]
    assert in_batches == by_one
    assert list(many.features.scan()) == list(one.features.scan())
    assert one.report.updates_in == sum(one.report.outcomes.values()) == len(events)


@pytest.mark.timeout(60)
@given(st.lists(_updates(), max_size=20), st.randoms(use_true_random=False), st.integers(1, 8))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_with_duplicates_and_replays_ends_in_one_state(
    events: list[PostingUpdate], rng: random.Random, size: int
) -> None:
    mess: list[Event] = [*events, *rng.sample(events, len(events) // 2)]
    rng.shuffle(mess)
    assert end_state(mess + mess[: len(mess) // 2], size) == end_state(list(events), 1)


def test_a_posting_that_matches_alerts_once_and_a_replay_of_everything_adds_none() -> None:
    made = path(searches=[search("night nurse", threshold=0.6)])
    events = [
        update("p", 1, Op.ADD, content("Night nurse", "a ward")),
        update("q", 1, Op.ADD, content("Welder", "a yard")),
        update("p", 2, Op.UPDATE, content("Night nurse", "another ward")),
    ]
    made.replay(events)
    made.replay(events)
    (alert,) = made.report.alerts
    assert (alert.posting_id, alert.title, alert.query, alert.model) == (
        "p",
        "Night nurse",
        "night nurse",
        "lexical@1",
    )


def test_a_new_opening_alerts_again() -> None:
    made = path(searches=[search("nurse")])
    made.push([update("p", 1, Op.ADD, content("Nurse", "a ward"))])
    made.push([update("p", 2, Op.CLOSE)])
    made.push([update("p", 3, Op.OPEN)])
    assert [alert.episode for alert in made.report.alerts] == [1, 3]
    assert len({alert.alert_id for alert in made.report.alerts}) == 2


def test_a_new_search_meets_the_open_postings_that_the_store_already_has() -> None:
    made = path()
    made.push([update("p", 1, Op.ADD, content("Nurse", "a ward"))])
    made.push([update("q", 1, Op.ADD, content("Nurse", "closed")), update("q", 2, Op.CLOSE)])
    assert [alert.posting_id for alert in made.subscribe([search("nurse")])] == ["p"]
    assert made.subscribe([search("nurse")]) == []


def test_a_second_replay_into_the_same_store_alerts_no_pair_again() -> None:
    kv, now = MemoryStore(lambda: 0.0), itertools.count(1_000)
    events: list[Event] = [update("p", 1, Op.ADD, content("Nurse", "a ward"))]
    alerts = []
    for _ in range(2):
        made = LocalPath(kv, InstantSummarizer(), LexicalRanker(), clock=lambda: float(next(now)))
        made.subscribe([search("nurse")])
        alerts += made.replay(events).alerts
    assert len(alerts) == 1


def test_a_search_that_matches_everything_alerts_for_every_open_posting() -> None:
    made = path(batch_size=50, searches=[search("", threshold=0.0)])
    made.replay([update(f"p{n}", 1, Op.ADD, content("Nurse", f"ward {n}")) for n in range(500)])
    assert len({alert.posting_id for alert in made.report.alerts}) == 500


@pytest.mark.parametrize("text", ["护士 病房", "नर्स 👩‍⚕️", "ממרשם", "a\u0000b", "é" * 3000, "x" * 1_000_000])
def test_text_in_any_script_and_size_goes_through(text: str) -> None:
    made = path(searches=[search(text[:50], threshold=0.0)])
    (row,) = made.push([update("p", 1, Op.ADD, content(text[:50], text))])
    assert row.outcome is Outcome.SUMMARIZED
    assert [alert.posting_id for alert in made.report.alerts] == ["p"]
