"""Every browser gets every event once and in order, or is told how much it missed."""

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from nearline.page.broadcast import Broadcast, PageEvent


async def taken(events: AsyncIterator[PageEvent], number: int) -> list[PageEvent]:
    return [await asyncio.wait_for(anext(events), 1) for _ in range(number)]


def kinds(events: list[PageEvent]) -> list[tuple[str, object]]:
    return [(event.kind, event.data.get("n", dict(event.data))) for event in events]


def test_a_new_browser_gets_what_is_kept_and_then_what_comes() -> None:
    async def run() -> list[tuple[str, object]]:
        broadcast = Broadcast(kept=2)
        for n in range(3):
            broadcast.publish("postings", {"n": n}, brings=5)
        follower = broadcast.follow()
        first = await taken(follower, 2)
        broadcast.publish("postings", {"n": 3})
        return kinds(first + await taken(follower, 1))

    assert asyncio.run(run()) == [("postings", 1), ("postings", 2), ("postings", 3)]


def test_a_browser_that_connects_again_goes_on_behind_its_last_event() -> None:
    async def run() -> list[tuple[str, object]]:
        broadcast = Broadcast(kept=4)
        for n in range(4):
            broadcast.publish("postings", {"n": n}, brings=1)
        second = (await taken(broadcast.follow(), 2))[-1]
        return kinds(await taken(broadcast.follow(broadcast.name(second.place)), 2))

    assert asyncio.run(run()) == [("postings", 2), ("postings", 3)]


def test_a_browser_that_falls_behind_loses_the_oldest_events_and_is_told_how_many() -> None:
    async def run() -> list[tuple[str, object]]:
        broadcast = Broadcast(kept=3)
        broadcast.publish("postings", {"n": 0}, brings=1)
        follower = broadcast.follow()
        first = await taken(follower, 1)
        for n in range(1, 10):
            broadcast.publish("postings", {"n": n}, brings=2)
        return kinds(first + await taken(follower, 4))

    lost = ("missed", {"events": 6, "items": 12})
    assert asyncio.run(run()) == [
        ("postings", 0),
        lost,
        ("postings", 7),
        ("postings", 8),
        ("postings", 9),
    ]


def test_an_id_of_another_process_or_none_at_all_is_answered_by_a_beginning_anew() -> None:
    async def run(last_id: str) -> list[tuple[str, object]]:
        broadcast = Broadcast(run="b")
        broadcast.publish("alerts", {"n": 0}, brings=1)
        return kinds(await taken(broadcast.follow(last_id), 2))

    for last_id in ("a-1-1", "b-2-1", "b-x-1", "b", "-", "b-1-99", "💥"):
        assert asyncio.run(run(last_id)) == [("restarted", {}), ("alerts", 0)]


@given(kept=st.integers(1, 5), steps=st.lists(st.integers(0, 6), min_size=1, max_size=8))
def test_what_a_browser_reads_and_what_it_is_told_that_it_missed_add_up(kept: int, steps: list[int]) -> None:
    async def run() -> int:
        broadcast, sent, known = Broadcast(kept=kept), 0, 0
        broadcast.publish("begin", {})
        follower = broadcast.follow()
        await taken(follower, 1)
        for step in steps:
            for _ in range(step):
                sent += 3
                broadcast.publish("postings", {}, brings=3)
            while known < sent:
                (event,) = await taken(follower, 1)
                known += event.data["items"] if event.kind == "missed" else event.brings
        return sent - known

    assert asyncio.run(run()) == 0
