"""Entries 2 and 3: offsets are lost, topics are created anew. No pair alerts twice, every search meets what is stored.

Neighbours: `tests/streaming/alerting/test_losses.py`, `tests/streaming/matching/test_loop.py`; with brokers
`tests/integration/test_topics_anew.py` and `tests/faults/test_losses.py`.
"""

from collections import Counter

from tests.streaming.alerting.play import World
from tests.streaming.matching.test_loop import World as Matching
from tests.streaming.matching.test_loop import many

CARE_JOBS = 20


def alerted_after_everything_is_read_again(world: World) -> Counter[tuple[str, str]]:
    world.committed.clear()
    loop, _ = world.start()
    world.turns(loop)
    return world.pairs()


def test_twenty_alerts_stay_twenty_when_the_group_is_deleted() -> None:
    world = World()
    for number in range(CARE_JOBS):
        world.store(number, title=f"night nurse {number}, small care home")
        world.request("nights", number)
    loop, _ = world.start()
    world.turns(loop)
    assert len(world.alerts()) == CARE_JOBS
    assert set(alerted_after_everything_is_read_again(world).values()) == {1}


def test_twenty_alerts_stay_twenty_when_the_requests_topic_is_created_anew() -> None:
    world = World()
    for _ in range(2):
        for number in range(CARE_JOBS):
            world.store(number, title=f"night nurse {number}, small care home")
            world.request("nights", number)
        loop, _ = world.start()
        world.turns(loop)
        assert alerted_after_everything_is_read_again(world).total() == CARE_JOBS
        world.topic.create_anew()


def test_a_new_search_in_the_set_that_is_sent_again_meets_every_stored_posting() -> None:
    world = Matching()
    many(world, searches=3, postings=CARE_JOBS)
    loop, _ = world.start()
    world.turns(loop, 40)
    world.out.clear()
    world.searches.create_anew()
    for name in ("new", "s0", "s1", "s2"):
        world.subscribe(name)
    world.turns(loop, 40)
    assert {posting for search, posting in world.pairs() if search == "new"} == set(world.stored)
