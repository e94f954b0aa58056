import asyncio
from dataclasses import dataclass, field

import pytest

from models.client.attribution import FailureAttribution


@dataclass
class World:
    """A server and its clock; every probe takes a second."""

    healthy: bool = True
    sound: bool = True
    now: float = 100.0
    asked: list[str] = field(default_factory=list)

    async def health(self) -> bool:
        return await self._probe("health", good=self.healthy)

    async def canary(self) -> bool:
        return await self._probe("canary", good=self.sound)

    async def _probe(self, name: str, *, good: bool) -> bool:
        self.asked.append(name)
        await asyncio.sleep(0)
        self.now += 1
        return good

    def attribution(self) -> FailureAttribution:
        return FailureAttribution(self.health, self.canary, lambda: self.now)


@pytest.mark.parametrize(
    ("healthy", "sound", "verdict"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_a_lone_failure_counts_when_health_and_canary_are_good(
    healthy: bool, sound: bool, verdict: bool
) -> None:
    attribution = World(healthy=healthy, sound=sound).attribution()
    assert asyncio.run(attribution.server_is_healthy(since=99.0)) is verdict


def test_a_neighbour_that_succeeded_meanwhile_stands_for_the_canary() -> None:
    world = World(sound=False)
    attribution = world.attribution()
    attribution.record_success()
    assert asyncio.run(attribution.server_is_healthy(since=99.0))
    assert world.asked == ["health"]


def test_a_success_from_before_the_failed_attempt_says_nothing() -> None:
    world = World(sound=False)
    attribution = world.attribution()
    attribution.record_success()
    world.now = 200.0
    assert not asyncio.run(attribution.server_is_healthy(since=150.0))


def test_failures_that_come_together_share_one_inquiry() -> None:
    world = World()
    attribution = world.attribution()

    async def together() -> list[bool]:
        return list(await asyncio.gather(*(attribution.server_is_healthy(since=99.0) for _ in range(9))))

    assert asyncio.run(together()) == [True] * 9
    assert world.asked == ["health", "canary"]
