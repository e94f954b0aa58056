"""The hard filters that a search may have beside place, remote work and type."""

import pytest

from pipeline.filters import FILTERS, filter_checks, filters_pass
from pipeline.must_not import offers
from pipeline.places.distance import distance_km, points
from schemas.records import FeatureRecord, SavedSearch
from tests.pipeline.builders import feature, search


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("weekends", "Rota with weekend work", True),
        ("weekends", "Saturday shifts; early start", True),
        ("weekends", "Monday to Friday, no weekends", False),
        ("weekends", "weekends off", False),
        ("weekends", "no weekends or nights", False),
        ("nights", "no weekends, some nights", True),
        ("night shifts", "Rotating shifts. Nights paid extra", True),
        ("night shifts", "you will never work nights", False),
        ("night shifts", "day shifts", False),
        ("cold calling", "cold outbound calling", True),
        ("cold calling", "calling on cold days", False),
        ("cold calling", "no cold calling", False),
        ("Wochenendarbeit", "keine Wochenendarbeit", False),
        ("C++", "C++ and Rust", True),
        ("C", "C++ and Rust", False),
    ],
)
def test_a_posting_offers_what_it_says_and_does_not_deny(phrase: str, text: str, found: bool) -> None:
    assert offers(text, phrase) is found


def test_a_posting_that_offers_a_must_not_is_refused_and_explained() -> None:
    wanted = search("nurse", must_not=("nights", "weekends"))
    posting = feature(title="Nurse", summary="two nights a week. no weekends")
    assert not filters_pass(wanted, posting)
    check = next(one for one in filter_checks(wanted, posting) if one.name == "must_not")
    assert (check.wanted, check.found, check.passed) == ("nights, weekends", "nights", False)


@pytest.mark.parametrize(
    ("place", "radius_km", "found", "passed"),
    [
        ("Leeds", 0.0, "Bradford, UK", False),
        ("Leeds", 20.0, "Bradford, UK", True),
        ("Leeds", 20.0, "Manchester, UK", False),
        ("Leeds", 100.0, "Manchester, UK", True),
        ("Leeds", 20.0, "Leeds", True),
        ("Leeds", 20.0, "Little Snoring", False),
        ("Leeds", 20.0, "UK", False),
        ("Leeds", 20.0, None, True),
        ("UK", 500.0, "Paris", False),
        ("Berlin", 40.0, "Potsdam", True),
    ],
)
def test_a_radius_takes_towns_that_lie_near(
    place: str, radius_km: float, found: str | None, passed: bool
) -> None:
    assert filters_pass(search("", location=place, radius_km=radius_km), feature(location=found)) is passed


def test_the_distance_of_two_towns_is_that_of_the_map() -> None:
    (leeds,), (bradford,) = points("Leeds, UK"), points("Bradford, UK")
    assert distance_km(leeds, bradford) == pytest.approx(13.3, abs=1.5)


def test_a_posting_passes_the_least_pay_unless_it_names_less() -> None:
    wanted = search("", pay_from="30000 GBP per year")
    assert filters_pass(wanted, feature(salary=None))
    assert filters_pass(wanted, feature(salary="£28,000 - £31,000"))
    assert not filters_pass(wanted, feature(salary="£12 an hour"))


def test_every_filter_of_a_search_that_asks_for_nothing_wants_nothing() -> None:
    asked = SavedSearch(search_id="s", query="nurse")
    assert [one.wanted(asked) for one in FILTERS] == [None] * len(FILTERS)
    assert filters_pass(asked, FeatureRecord(posting_id="p", version=1))
