"""One random walk over mixes: what a step changes, and whether it is taken (Metropolis' rule)."""

import math
from collections.abc import Sequence
from random import Random

from pipeline.planning.problem import TOLERANCE, Problem

#: An item a second that a mix lacks costs so many times what it costs at the least price for each item.
CHARGE = 2.0
#: Share of the steps that exchange machines; of the others one half adds and one half removes some.
EXCHANGES = 0.5
#: Share of the changes that are of one machine; the others are of up to a quarter of a variant's machines.
SINGLE = 0.9

Change = tuple[tuple[int, int], ...]
"""Variants, and how many machines of each are added, or with a minus sign removed."""


class Walk:
    """A mix that changes step by step; keeps price, capacities and what is lacking up to date."""

    __slots__ = ("_charges", "_counts", "_free", "_has", "_lacks", "_needs", "_problem", "price")

    def __init__(self, problem: Problem, start: Sequence[int]) -> None:
        self._problem = problem
        self._counts = list(start)
        self._needs = [need * (1 - TOLERANCE) for need in problem.needs]
        self._charges = [_charge(problem, level) for level in range(len(problem.needs))]
        self._has = list(problem.capacities(start))
        self._free = [limit - used for limit, used in zip(problem.limits, problem.used(start), strict=True)]
        self._lacks = self._charged(self._has)
        self.price = problem.price(start)

    def enough(self) -> bool:
        """Whether the mix meets every need."""
        return self._lacks == 0.0

    def mix(self) -> tuple[int, ...]:
        """The mix at this moment."""
        return tuple(self._counts)

    def step(self, random: Random, heat: float) -> bool:
        """Try one change; True when it was made. A dearer mix is accepted with probability exp(-rise / heat)."""
        change = self._proposed(random)
        if not self._possible(change):
            return False
        has, price = self._changed(change)
        lacks = self._charged(has)
        rise = price + lacks - self.price - self._lacks
        if rise > 0 and random.random() >= math.exp(-rise / heat):
            return False
        self._take(change, has, price, lacks)
        return True

    def _proposed(self, random: Random) -> Change:
        variants = self._problem.variants
        at = random.randrange(len(variants))
        number, draw = self._number(random, at), random.random()
        if draw >= EXCHANGES:
            return ((at, number if draw < (1 + EXCHANGES) / 2 else -number),)
        other = random.randrange(len(variants))
        worth = number * variants[at].items_per_s / variants[other].items_per_s
        return ((at, -number), (other, math.floor(worth + random.random())))

    def _number(self, random: Random, at: int) -> int:
        """How many machines a change is about."""
        if random.random() < SINGLE:
            return 1
        return 1 + random.randrange(1 + self._counts[at] // 4)

    def _possible(self, change: Change) -> bool:
        """Whether no count falls below 0 and no offer exceeds its limit."""
        if any(self._counts[at] + number < 0 for at, number in change):
            return False
        taken: dict[int, int] = {}
        for at, number in change:
            offer = self._problem.variants[at].offer
            taken[offer] = taken.get(offer, 0) + number
        return all(number <= self._free[offer] for offer, number in taken.items())

    def _changed(self, change: Change) -> tuple[list[float], float]:
        """Capacities and price after a change."""
        has, price = self._has.copy(), self.price
        for at, number in change:
            one = self._problem.variants[at]
            price += number * one.price
            for level in range(one.level, len(has)):
                has[level] += number * one.items_per_s
        return has, price

    def _charged(self, has: Sequence[float]) -> float:
        """The charge for everything that is lacking."""
        return sum(
            charge * (need - got)
            for charge, need, got in zip(self._charges, self._needs, has, strict=True)
            if got < need
        )

    def _take(self, change: Change, has: list[float], price: float, lacks: float) -> None:
        for at, number in change:
            self._counts[at] += number
            self._free[self._problem.variants[at].offer] -= number
        self._has, self.price, self._lacks = has, price, lacks


def _charge(problem: Problem, level: int) -> float:
    able = [one for one in problem.variants if one.level <= level]
    return CHARGE * min((one.price / one.items_per_s for one in able), default=0.0)
