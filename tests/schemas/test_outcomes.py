import random
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.merge import outcome
from schemas.records import FeatureRecord, Op, Outcome, Posting, PostingUpdate
from tests.schemas.histories import batch, fold, histories, step, summarized

pytestmark = pytest.mark.timeout(60)

NIGHTS = Posting(title="Nurse", description="nights")
PAID = Posting(title="Nurse", description="nights", salary="12")
DAYS = Posting(title="Nurse", description="days")
EMPTY = Posting(title="Nurse")


def event(version: int, op: Op, posting: Posting | None = None) -> PostingUpdate:
    return PostingUpdate(posting_id="p", version=version, op=op, posting=posting)


ADD = event(10, Op.ADD, NIGHTS)
CLOSED = [ADD, event(20, Op.CLOSE)]
REMOVED = [ADD, event(20, Op.REMOVE)]


@pytest.mark.parametrize(
    ("history", "update", "result"),
    [
        ([], ADD, Outcome.SUMMARIZED),
        ([], event(1, Op.UPDATE, NIGHTS), Outcome.SUMMARIZED),
        ([], event(1, Op.REPOST, NIGHTS), Outcome.SUMMARIZED),
        ([], event(1, Op.ADD, EMPTY), Outcome.SUMMARIZED),
        ([], event(1, Op.CLOSE), Outcome.CLOSED),
        ([], event(1, Op.OPEN), Outcome.REOPENED),
        ([], event(1, Op.REMOVE), Outcome.REMOVED),
        ([ADD], event(11, Op.UPDATE, DAYS), Outcome.SUMMARIZED),
        ([ADD], event(11, Op.UPDATE, PAID), Outcome.METADATA_ONLY),
        ([ADD], event(11, Op.UPDATE, NIGHTS), Outcome.UNCHANGED),
        ([ADD], event(11, Op.ADD, NIGHTS), Outcome.UNCHANGED),
        ([ADD], event(11, Op.REPOST, NIGHTS), Outcome.REOPENED),
        ([ADD], event(11, Op.REPOST, PAID), Outcome.REOPENED),
        ([ADD], event(11, Op.REPOST, DAYS), Outcome.SUMMARIZED),
        ([ADD], event(11, Op.OPEN), Outcome.REOPENED),
        ([ADD], event(11, Op.OPEN, NIGHTS), Outcome.REOPENED),
        ([ADD], event(11, Op.OPEN, DAYS), Outcome.SUMMARIZED),
        ([ADD], ADD, Outcome.UNCHANGED),
        (CLOSED, event(20, Op.CLOSE), Outcome.UNCHANGED),
        (CLOSED, event(15, Op.CLOSE), Outcome.STALE),
        (CLOSED, event(21, Op.CLOSE), Outcome.CLOSED),
        (CLOSED, event(21, Op.OPEN), Outcome.REOPENED),
        (CLOSED, event(15, Op.OPEN), Outcome.REOPENED),
        (CLOSED, event(15, Op.UPDATE, DAYS), Outcome.SUMMARIZED),
        ([ADD], event(9, Op.ADD, DAYS), Outcome.STALE),
        ([ADD], event(9, Op.UPDATE, DAYS), Outcome.STALE),
        ([ADD], event(9, Op.REMOVE), Outcome.REMOVED),
        ([event(30, Op.UPDATE, DAYS)], ADD, Outcome.METADATA_ONLY),
        ([event(30, Op.UPDATE, DAYS)], event(10, Op.REPOST, NIGHTS), Outcome.REOPENED),
        ([event(30, Op.UPDATE, DAYS)], event(10, Op.OPEN, NIGHTS), Outcome.REOPENED),
        (REMOVED, event(15, Op.UPDATE, DAYS), Outcome.STALE),
        (REMOVED, event(15, Op.CLOSE), Outcome.STALE),
        (REMOVED, event(15, Op.REMOVE), Outcome.STALE),
        (REMOVED, event(20, Op.REMOVE), Outcome.UNCHANGED),
        (REMOVED, event(25, Op.UPDATE, NIGHTS), Outcome.SUMMARIZED),
        (REMOVED, event(25, Op.ADD, NIGHTS), Outcome.SUMMARIZED),
    ],
)
def test_an_event_has_the_outcome_of_its_table_row(
    history: list[PostingUpdate], update: PostingUpdate, result: Outcome
) -> None:
    before = fold(history)[0] if history else None
    assert outcome(before, update, step(before, update)) is result


def test_an_event_that_comes_again_while_its_summary_is_missing_is_summarized() -> None:
    pending = step(None, ADD)
    assert outcome(pending, ADD, step(pending, ADD)) is Outcome.SUMMARIZED
    assert outcome(summarized(pending), ADD, step(summarized(pending), ADD)) is Outcome.UNCHANGED


def test_an_older_event_that_comes_while_a_summary_is_missing_is_stale_all_the_same() -> None:
    pending = step(None, event(20, Op.ADD, DAYS))
    assert outcome(pending, ADD, step(pending, ADD)) is Outcome.STALE


@settings(deadline=None, max_examples=100)
@given(history=histories, seed=st.integers(0, 2**32))
def test_outcomes_do_not_depend_on_where_batches_are_cut(history: list[PostingUpdate], seed: int) -> None:
    rng = random.Random(seed)
    record: FeatureRecord | None = None
    outcomes, position = [], 0
    while position < len(history):
        size = rng.randint(1, 5)
        after, found = batch(record, history[position : position + size])
        record = summarized(after)
        outcomes += found
        position += size
    assert outcomes == fold(history)[1]


@settings(deadline=None, max_examples=100)
@given(history=histories)
def test_an_event_that_comes_twice_in_a_row_changes_nothing_the_second_time(
    history: list[PostingUpdate],
) -> None:
    record, outcomes = fold([*history, history[-1]])
    assert record == fold(history)[0]
    assert outcomes[-1] in {Outcome.UNCHANGED, Outcome.STALE}


#: What an unchanged event may change: a newer event of the same content brings its versions, and an `add` also opens
#: the posting and begins an episode.
VERSIONS = ("version", "lifecycle_version", "episode", "content_version", "summary_version", "state")


@settings(deadline=None, max_examples=100)
@given(history=histories)
@example(history=[ADD, event(11, Op.UPDATE, NIGHTS), event(9, Op.UPDATE, DAYS)])
def test_a_stale_or_unchanged_event_leaves_everything_but_versions_as_it_was(
    history: list[PostingUpdate],
) -> None:
    before: FeatureRecord | None = None
    for update in history:
        after = summarized(step(before, update))
        result = outcome(before, update, step(before, update))
        if before is not None and result is Outcome.STALE:
            assert after == before
        if before is not None and result is Outcome.UNCHANGED:
            assert replace(after, **{name: getattr(before, name) for name in VERSIONS}) == before
        before = after
