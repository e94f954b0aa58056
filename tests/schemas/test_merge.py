import random
from dataclasses import MISSING, asdict, fields, replace
from functools import reduce
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.compiled import constructor
from schemas.keys import content_hash
from schemas.merge import delta, is_current, merge
from schemas.records import NEVER, FeatureRecord, Op, Posting, PostingUpdate, State
from schemas.vectors import embedded_hash
from tests.schemas.histories import (
    batch,
    delta_of,
    events,
    expected,
    fold,
    histories,
    step,
    summarized,
)
from tests.support.filled import filled

pytestmark = pytest.mark.timeout(60)
seeds = st.integers(0, 2**32)
many = settings(deadline=None, max_examples=100)


def complete(history: list[PostingUpdate]) -> FeatureRecord:
    """The record of a history whose texts are all summarized."""
    return fold(history)[0]


complete_records = histories.map(complete)
pending_records = histories.map(lambda history: batch(None, history)[0])


@many
@given(history=histories)
def test_a_fold_ends_in_the_maxima_over_the_set_of_events(history: list[PostingUpdate]) -> None:
    assert complete(history) == expected(history)


@many
@given(history=histories, seed=seeds)
def test_any_order_any_duplication_and_any_replay_end_in_the_same_record(
    history: list[PostingUpdate], seed: int
) -> None:
    rng = random.Random(seed)
    again = history + rng.choices(history, k=len(history))
    rng.shuffle(again)
    start = rng.randrange(len(history) + 1)
    assert complete(again) == complete(history)
    assert complete(history + history[start:]) == complete(history)


@many
@given(history=histories, seed=seeds)
def test_batches_outages_and_redeliveries_end_in_the_same_record(
    history: list[PostingUpdate], seed: int
) -> None:
    rng = random.Random(seed)
    record: FeatureRecord | None = None
    position = 0
    while position < len(history):
        size = rng.randint(1, 4)
        after, _ = batch(record, history[position : position + size])
        if rng.random() < 0.4:
            record = after  # written, then the model was down: the same offsets come again, cut otherwise
            continue
        record = summarized(after)
        position += size
    assert record == complete(history)


@many
@given(history=histories, seed=seeds)
def test_writers_that_know_nothing_of_each_other_merge_to_the_same_record_in_any_bracketing(
    history: list[PostingUpdate], seed: int
) -> None:
    rng = random.Random(seed)
    writers = [complete([update]) for update in history] + [complete(history[: rng.randrange(1, 9)])]
    while len(writers) > 1:
        a, b = (writers.pop(rng.randrange(len(writers))) for _ in range(2))
        writers.append(summarized(merge(a, b)))
    assert writers[0] == complete(history)


@many
@given(a=complete_records, b=complete_records, c=complete_records)
def test_merge_is_a_join_of_complete_records(a: FeatureRecord, b: FeatureRecord, c: FeatureRecord) -> None:
    assert merge(a, a) == a
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, merge(a, b)) == merge(a, b)


@many
@given(a=complete_records, b=complete_records)
def test_two_complete_records_merge_to_a_complete_one(a: FeatureRecord, b: FeatureRecord) -> None:
    merged = merge(a, b)
    assert is_current(merged)
    assert merged.summary_version == merged.content_version


@many
@given(a=pending_records, b=pending_records | complete_records, c=complete_records)
def test_records_that_wait_for_a_summary_join_in_everything_but_the_summary(
    a: FeatureRecord, b: FeatureRecord, c: FeatureRecord
) -> None:
    assert merge(a, a) == a
    assert merge(a, b) == merge(b, a)
    left, right = merge(merge(a, b), c), merge(a, merge(b, c))
    assert summarized(left) == summarized(right)


@many
@given(a=pending_records | complete_records, update=events)
def test_no_register_ever_falls(a: FeatureRecord, update: PostingUpdate) -> None:
    after = step(a, update)
    names = ("lifecycle_version", "begun_version", "reposted_version", "ended_version", "removed_version")
    for name in ("version", *names):
        assert getattr(after, name) >= getattr(a, name)
    assert max(after.content_version, after.removed_version) >= max(a.content_version, a.removed_version)
    assert after.version >= update.version


@many
@given(history=histories)
def test_the_version_of_a_record_is_the_highest_of_its_registers_and_of_its_events(
    history: list[PostingUpdate],
) -> None:
    record = complete(history)
    registers = (record.lifecycle_version, record.episode, record.removed_version, record.content_version)
    assert record.version == max(registers) == max(max(update.version, update.as_of) for update in history)


def posting(text: str = "nights", salary: str | None = None) -> Posting:
    return Posting(title="Nurse", description=text, salary=salary)


def event(version: int, op: Op, content: Posting | None = None) -> PostingUpdate:
    return PostingUpdate(posting_id="p", version=version, op=op, posting=content)


def test_an_edited_closed_posting_stays_closed() -> None:
    history = [event(1, Op.ADD, posting()), event(2, Op.CLOSE), event(3, Op.UPDATE, posting("days"))]
    record = complete(history)
    assert (record.state, record.content_version) == (State.CLOSED, 3)


def test_a_removal_erases_older_content_and_leaves_a_tombstone_without_text() -> None:
    record = complete(
        [event(1, Op.ADD, posting()), event(5, Op.REMOVE), event(4, Op.UPDATE, posting("days"))]
    )
    assert record == FeatureRecord(
        posting_id="p",
        version=5,
        state=State.REMOVED,
        lifecycle_version=5,
        episode=1,
        begun_version=1,
        ended_version=5,
        removed_version=5,
    )


def test_content_newer_than_a_removal_stays_and_the_posting_stays_removed_until_it_opens() -> None:
    history = [event(5, Op.REMOVE), event(6, Op.UPDATE, posting()), event(1, Op.ADD, posting("days"))]
    record = complete(history)
    assert (record.state, record.content_version, record.title) == (State.REMOVED, 6, "Nurse")
    assert complete([*history, event(7, Op.OPEN)]).state is State.OPEN


def test_a_repost_opens_without_a_new_episode_and_an_open_begins_one() -> None:
    history = [event(1, Op.ADD, posting()), event(2, Op.CLOSE)]
    reposted = complete([*history, event(3, Op.REPOST, posting())])
    opened = complete([*history, event(3, Op.OPEN)])
    assert (reposted.state, reposted.episode) == (State.OPEN, 1)
    assert (opened.state, opened.episode, opened.content_version) == (State.OPEN, 3, 1)


def test_at_equal_versions_the_later_state_wins_and_the_greater_content_hash() -> None:
    for order in (1, -1):
        history = [event(3, Op.OPEN), event(3, Op.CLOSE), event(3, Op.REMOVE)][::order]
        assert [complete(history[:n]).state for n in (1, 2, 3)][-1] is State.REMOVED
        rivals = [posting("nights"), posting("days")][::order]
        record = complete([event(3, Op.ADD, rival) for rival in rivals])
        assert record.content_hash == max(content_hash(rival) for rival in rivals)
        assert is_current(record)


def test_a_new_version_of_the_same_text_keeps_the_summary_with_its_own_generation() -> None:
    first = summarized(step(None, event(1, Op.ADD, posting())), generation=7)
    after = step(first, event(9, Op.UPDATE, posting(salary="12")))
    assert is_current(after)
    assert (after.summary_version, after.generation, after.summary) == (9, 7, first.summary)


def test_a_summary_of_a_later_generation_replaces_one_of_the_same_version_only() -> None:
    pending = step(None, event(5, Op.ADD, posting()))
    old, new = summarized(pending, generation=7), summarized(pending, generation=8)
    assert merge(old, new).generation == 8
    stale = summarized(step(None, event(1, Op.ADD, posting("days"))), generation=9)
    assert merge(old, stale).generation == 7


def test_a_summary_of_a_text_that_has_lost_does_not_replace_that_of_the_winner() -> None:
    rivals = sorted((posting("nights"), posting("days")), key=content_hash)
    loser, winner = (step(None, event(3, Op.ADD, rival)) for rival in rivals)
    late = summarized(loser, generation=99)
    assert merge(late, summarized(winner)) == summarized(winner)


@pytest.mark.parametrize("text", ["", "  \n\t "])
def test_an_empty_description_needs_no_summarizer(text: str) -> None:
    record = step(None, event(1, Op.ADD, posting(text)))
    assert is_current(record)
    assert (record.summary, record.generation, record.summary_version) == ("", 0, 1)


@pytest.mark.parametrize("op", [Op.CLOSE, Op.REMOVE])
def test_a_close_or_removal_that_carries_a_posting_sets_no_content(op: Op) -> None:
    change = delta(event(1, op, posting()), b"h")
    assert (change.content_version, change.title) == (NEVER, "")


@pytest.mark.parametrize("op", [Op.ADD, Op.UPDATE, Op.REPOST])
def test_an_event_that_needs_a_posting_and_has_none_is_the_callers_mistake(op: Op) -> None:
    with pytest.raises(ValueError, match="has no posting"):
        delta(event(1, op), b"")


def test_records_of_two_postings_do_not_merge() -> None:
    other = PostingUpdate(posting_id="q", version=1, op=Op.CLOSE)
    with pytest.raises(ValueError, match="cannot merge"):
        merge(delta(event(1, Op.CLOSE), b""), delta(other, b""))


@many
@given(history=histories)
def test_merging_the_deltas_alone_gives_the_fold_without_summaries(history: list[PostingUpdate]) -> None:
    deltas = [delta_of(update) for update in history]
    assert summarized(reduce(merge, deltas)) == complete(history)
    assert summarized(reduce(merge, reversed(deltas))) == complete(history)


FILLED = filled(FeatureRecord, episode=90, begun_version=90, ended_version=106, removed_version=106)
FILLED = replace(FILLED, version=FILLED.content_version, vector_hash=embedded_hash(FILLED, FILLED.summary))
"""A record as a store may hold it, with another value than the default in every field."""
BLANK = FeatureRecord(posting_id=FILLED.posting_id, version=NEVER)


def test_a_merge_carries_every_field_of_a_record() -> None:
    assert [each.name for each in fields(FILLED) if getattr(FILLED, each.name) == each.default] == []
    assert merge(FILLED, BLANK) == FILLED
    assert merge(BLANK, FILLED) == FILLED


def test_a_merge_of_two_records_carries_every_field_of_the_content_that_wins() -> None:
    life: dict[str, Any] = {"state": State.OPEN, "lifecycle_version": 901, "version": 901}
    life |= {"episode": 901, "begun_version": 901}
    assert merge(FILLED, replace(BLANK, **life)) == replace(FILLED, **life)


def test_a_delta_carries_every_field_of_a_posting_but_its_description() -> None:
    update = PostingUpdate(posting_id="p", version=5, op=Op.ADD, posting=filled(Posting))
    record = delta(update, b"input")
    carried = {each.name: getattr(record, each.name, None) for each in fields(Posting)}
    assert carried == {**asdict(filled(Posting)), "description": None}
    assert record.content_hash == content_hash(filled(Posting))


@pytest.mark.parametrize("cls", [FeatureRecord, Posting, PostingUpdate])
def test_a_compiled_constructor_makes_what_the_class_makes(cls: type[Any]) -> None:
    values = {each.name: object() for each in fields(cls)}
    assert constructor(cls)(**values) == cls(**values)
    needed = {each.name: object() for each in fields(cls) if each.default is MISSING}
    assert constructor(cls)(**needed) == cls(**needed)
