import random
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.outcomes import outcome
from schemas.records import FeatureRecord, Op, Outcome, Posting, PostingUpdate
from tests.schemas.histories import batch, fold, histories, step, summarized

pytestmark = pytest.mark.timeout(60)

NIGHTS = Posting(title="Nurse", description="nights")
PAID = Posting(title="Nurse", description="nights", salary="12")
DAYS = Posting(title="Nurse", description="days")
EMPTY = Posting(title="Nurse")


def event(version: int, op: Op, posting: Posting | None = None) -> PostingUpdate:
    return PostingUpdate(posting_id="p", version=version, op=op, posting=posting)


def listing(version: int, as_of: int, posting: Posting) -> PostingUpdate:
    """A row of a plain list that says at `as_of` that the posting is open."""
    return PostingUpdate(posting_id="p", version=version, op=Op.ADD, posting=posting, as_of=as_of)


ADD = event(10, Op.ADD, NIGHTS)
CLOSED = [ADD, event(20, Op.CLOSE)]
REMOVED = [ADD, event(20, Op.REMOVE)]
LISTED = [listing(9, 9, NIGHTS)]


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
        ([ADD], event(11, Op.ADD, NIGHTS), Outcome.REOPENED),
        ([ADD], event(11, Op.ADD, PAID), Outcome.REOPENED),
        ([ADD], event(11, Op.ADD, DAYS), Outcome.SUMMARIZED),
        ([ADD], event(9, Op.ADD, NIGHTS), Outcome.STALE),
        (CLOSED, event(21, Op.ADD, NIGHTS), Outcome.REOPENED),
        (CLOSED, event(21, Op.ADD, PAID), Outcome.REOPENED),
        (CLOSED, event(15, Op.ADD, NIGHTS), Outcome.METADATA_ONLY),
        (CLOSED, event(21, Op.ADD, DAYS), Outcome.SUMMARIZED),
        ([], listing(1, 1, NIGHTS), Outcome.SUMMARIZED),
        ([ADD], listing(11, 11, NIGHTS), Outcome.UNCHANGED),
        ([ADD], listing(10, 11, NIGHTS), Outcome.UNCHANGED),
        ([ADD], listing(11, 11, PAID), Outcome.METADATA_ONLY),
        ([ADD], listing(11, 11, DAYS), Outcome.SUMMARIZED),
        ([ADD], listing(9, 9, DAYS), Outcome.STALE),
        ([ADD], listing(9, 11, DAYS), Outcome.UNCHANGED),
        (LISTED, listing(11, 11, NIGHTS), Outcome.UNCHANGED),
        (LISTED, ADD, Outcome.REOPENED),
        (CLOSED, listing(21, 21, NIGHTS), Outcome.REOPENED),
        (CLOSED, listing(21, 21, PAID), Outcome.REOPENED),
        (CLOSED, listing(21, 21, DAYS), Outcome.SUMMARIZED),
        (CLOSED, listing(10, 21, NIGHTS), Outcome.REOPENED),
        (CLOSED, listing(10, 20, NIGHTS), Outcome.UNCHANGED),
        (CLOSED, listing(15, 15, NIGHTS), Outcome.UNCHANGED),
        (REMOVED, listing(25, 25, NIGHTS), Outcome.SUMMARIZED),
        (REMOVED, listing(15, 15, NIGHTS), Outcome.STALE),
        ([*CLOSED, listing(21, 21, NIGHTS)], listing(22, 22, NIGHTS), Outcome.UNCHANGED),
        ([*CLOSED, event(21, Op.REPOST, NIGHTS)], listing(22, 22, NIGHTS), Outcome.UNCHANGED),
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


#: What a stale event may change, so that a close, an add or a repost that comes late takes its place in the order.
REGISTERS = ("begun_version", "reposted_version", "ended_version")
#: What an unchanged event may change: a newer event of the same content brings its versions.
VERSIONS = ("version", "lifecycle_version", "content_version", "summary_version", *REGISTERS)


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
            assert replace(after, **{name: getattr(before, name) for name in REGISTERS}) == before
        if before is not None and result is Outcome.UNCHANGED:
            assert replace(after, **{name: getattr(before, name) for name in VERSIONS}) == before
        before = after
