"""Before and after an annealing: fill a demand greedily, drop and exchange machines while that saves money."""

import math
from collections.abc import Iterator, Sequence

from pipeline.planning.problem import TOLERANCE, Counts, Problem, Variant

#: Machines of one variant that an exchange takes away at once.
TAKEN_AWAY = (1, 2, 3)


def filled(problem: Problem) -> Counts:
    """A mix by the least price for each item, strictest class first; short where limits leave nothing to add."""
    counts = [0] * len(problem.variants)
    for level in range(len(problem.needs)):
        for at in _by_price_for_each_item(problem, level):
            one = problem.variants[at]
            missing = lacking(problem, counts)[level]
            room = problem.limits[one.offer] - problem.used(counts)[one.offer]
            counts[at] += int(min(room, _machines(missing, one)))
    return tuple(counts)


def improved(problem: Problem, counts: Counts) -> Counts:
    """The mix after every removal and exchange that saves money, one after the other; unchanged if it is short."""
    if not problem.meets(counts):
        return counts
    found: Counts | None = counts
    while found is not None:
        counts, found = found, next(_cheaper(problem, found), None)
    return counts


def lacking(problem: Problem, counts: Sequence[int]) -> list[float]:
    """Items a second that a mix lacks for each class together with the stricter ones; 0 where it has enough."""
    capacities = problem.capacities(counts)
    return [
        0.0 if has >= need * (1 - TOLERANCE) else need - has
        for has, need in zip(capacities, problem.needs, strict=True)
    ]


def _cheaper(problem: Problem, counts: Counts) -> Iterator[Counts]:
    """Mixes that meet the needs for less, with a few machines of one variant taken out or exchanged for others."""
    price, unit = problem.price(counts), _unit(problem)
    for taken in _taken_away(counts):
        for made in _completed(problem, taken):
            if problem.price(made) < price - unit * TOLERANCE and problem.meets(made):
                yield made


def _taken_away(counts: Counts) -> Iterator[list[int]]:
    for at, count in enumerate(counts):
        for number in TAKEN_AWAY:
            if number <= count:
                yield [*counts[:at], count - number, *counts[at + 1 :]]


def _completed(problem: Problem, counts: list[int]) -> Iterator[Counts]:
    """The mix itself, and with as many machines of one variant as it lacks; it may still be short."""
    missing = lacking(problem, counts)
    if not any(missing):
        yield tuple(counts)
        return
    for at, one in enumerate(problem.variants):
        added = max(_machines(short, one) for short in missing[one.level :])
        if added:
            yield (*counts[:at], counts[at] + added, *counts[at + 1 :])


def _machines(items_per_s: float, one: Variant) -> int:
    """How many machines give so many items a second."""
    return max(0, math.ceil(items_per_s / one.items_per_s - TOLERANCE))


def _by_price_for_each_item(problem: Problem, level: int) -> list[int]:
    able = [at for at, one in enumerate(problem.variants) if one.level <= level]
    return sorted(able, key=lambda at: problem.variants[at].price / problem.variants[at].items_per_s)


def _unit(problem: Problem) -> float:
    """The least price of a machine that costs something; 1 if none does."""
    return min((one.price for one in problem.variants if one.price), default=1.0)
