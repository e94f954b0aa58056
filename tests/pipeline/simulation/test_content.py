from collections import Counter

import pytest

from pipeline.simulation.arrivals import Steady
from pipeline.simulation.content import LONGEST, Content, made_up
from pipeline.simulation.traces import Request
from schemas.errors import ConfigError
from tests.pipeline.simulation.parts import NEARLINE, ONLINE

STREAMS = {ONLINE: (Steady(20.0), 0.5), NEARLINE: (Steady(20.0), 60.0)}


def made(content: Content, seed: int = 1, seconds: float = 200.0) -> list[Request]:
    return list(made_up(STREAMS, content, seconds, seed))


def test_the_same_seed_gives_the_same_requests_and_another_one_others() -> None:
    assert made(Content()) == made(Content())
    assert made(Content()) != made(Content(), seed=2)


def test_classes_come_in_the_order_of_their_arrival() -> None:
    found = made(Content())
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert {one.traffic for one in found} == {ONLINE, NEARLINE}


def test_as_many_queries_are_new_as_was_asked() -> None:
    found = made(Content(new=0.2))
    assert sum(isinstance(one.query, str) for one in found) / len(found) == pytest.approx(0.2, abs=0.02)
    named = [one.query for one in found if isinstance(one.query, str)]
    assert len(named) == len(set(named))


def test_the_rest_are_popular_by_zipf() -> None:
    counts = Counter(one.query for one in made(Content(new=0.0, queries=1000), seconds=1000.0))
    assert counts[0] / counts[9] == pytest.approx(10, rel=0.25)


def test_a_page_is_asked_for_by_its_share_of_those_who_read_the_one_before() -> None:
    pages = Counter(one.candidates.start // 10 for one in made(Content(new=0.0, paging=0.3, items=10)))  # type: ignore[attr-defined]
    assert pages[1] / pages[0] == pytest.approx(0.3, rel=0.1)


def test_lengths_with_a_heavy_tail_have_the_mean_and_an_end() -> None:
    lengths = [one.item_tokens for one in made(Content(lengths="heavy", item_tokens=100), seconds=1000.0)]
    assert sum(lengths) / len(lengths) == pytest.approx(100, rel=0.25)
    assert 10 * 100 < max(lengths) <= LONGEST * 100
    assert min(lengths) > 30


@pytest.mark.parametrize("bad", [{"new": 1.1}, {"new": float("nan")}, {"paging": 1.0}, {"zipf": -0.1}])
def test_shares_that_cannot_be_are_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        Content(**bad)  # type: ignore[arg-type]
