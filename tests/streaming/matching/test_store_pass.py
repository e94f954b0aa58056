"""One pass over the stored postings for the searches that are new."""

from collections.abc import Iterator

from pipeline.percolation.percolator import Percolator
from schemas.records import FeatureRecord, SavedSearch, State
from streaming.matching.store_pass import StorePass
from streaming.searches.table import Subscription
from tests.pipeline.builders import feature


def subscription(search_id: str, query: str) -> Subscription:
    return Subscription(SavedSearch(search_id=search_id, query=query), 0, 7, 5)


def postings(*titles: str) -> Iterator[FeatureRecord]:
    return (feature(posting_id=f"p{n}", title=title) for n, title in enumerate(titles))


NURSE, BAKER = subscription("n", "nurse"), subscription("b", "baker")


def test_each_stored_posting_is_matched_with_every_new_search() -> None:
    made = StorePass(
        [NURSE, BAKER],
        postings("Nurse", "Welder", "Baker and nurse"),
        Percolator(),
        searches_until={0: 8},
    )
    found = {(match.subscription.search.search_id, match.feature.posting_id) for match in made.advance(10)}
    assert found == {("n", "p0"), ("n", "p2"), ("b", "p2")}
    assert (made.postings_read, made.finished, made.searches_until) == (3, True, {0: 8})


def test_a_step_reads_no_more_than_it_was_told_and_the_last_step_finishes() -> None:
    made = StorePass([NURSE], postings("Nurse", "Nurse", "Nurse", "Nurse"), Percolator(), searches_until={})
    steps = []
    while not made.finished:
        steps.append([match.feature.posting_id for match in made.advance(2)])
    assert steps == [["p0", "p1"], ["p2", "p3"], []]
    assert made.postings_read == 4


def test_a_closed_posting_is_read_and_matches_nothing() -> None:
    closed = feature(posting_id="p", title="Nurse", state=State.CLOSED)
    made = StorePass([NURSE], iter([closed]), Percolator(), searches_until={})
    assert made.advance(2) == []
    assert made.postings_read == 1


def test_the_offsets_stay_as_they_were_when_the_pass_began() -> None:
    positions = {0: 8}
    made = StorePass([NURSE], postings(), Percolator(), searches_until=positions)
    positions[0] = 9
    assert made.searches_until == {0: 8}
