"""The planning problem as numbers: which machines, in which way of running, must have which throughput together.

Classes are ordered from the strictest bound to the loosest. A machine that was measured at a bound serves every class
whose bound is as long or longer. So a mix meets the demand exactly if, for each class, the machines that can serve that
class or a stricter one have the throughput of that class and all stricter ones together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from pipeline.planning.offers import Demand, Offer, check_demands, check_offers
from schemas.errors import ConfigError

#: A capacity counts as enough when it falls short by less than this share: sums of floats differ in their last digits.
TOLERANCE = 1e-9

Counts = tuple[int, ...]
"""Machines of each variant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A machine type in one of its measured ways of running; `level`: the strictest class that it can serve."""

    offer: int
    way: int
    level: int
    items_per_s: float
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The least expensive counts of `variants` are wanted that reach each of `needs`, within `limits`.

    `needs`: items a second of each class and all stricter ones together, strictest first. `limits`: most machines of
    each offer, infinite where any number may be had.
    """

    classes: tuple[str, ...]
    needs: tuple[float, ...]
    variants: tuple[Variant, ...]
    limits: tuple[float, ...]
    offers: tuple[str, ...]

    def price(self, counts: Sequence[int]) -> float:
        """What a mix costs an hour."""
        return math.fsum(count * one.price for count, one in zip(counts, self.variants, strict=True))

    def capacities(self, counts: Sequence[int]) -> tuple[float, ...]:
        """For each class: items a second of the machines that can serve it or a stricter one."""
        found = [0.0] * len(self.needs)
        for count, one in zip(counts, self.variants, strict=True):
            found[one.level] += count * one.items_per_s
        return tuple(accumulate(found))

    def meets(self, counts: Sequence[int]) -> bool:
        """Whether a mix reaches every need and stays within the limits."""
        enough = zip(self.capacities(counts), self.needs, strict=True)
        return all(has >= need * (1 - TOLERANCE) for has, need in enough) and all(
            used <= limit for used, limit in zip(self.used(counts), self.limits, strict=True)
        )

    def used(self, counts: Sequence[int]) -> list[int]:
        """Machines of each offer, in all ways of running."""
        found = [0] * len(self.limits)
        for count, one in zip(counts, self.variants, strict=True):
            found[one.offer] += count
        return found


def pose(
    demands: Sequence[Demand], offers: Sequence[Offer], *, together: Sequence[float] = (), spare: float = 0.0
) -> Problem:
    """The problem of these demands and offers; ConfigError for input that is wrong or a demand that no mix can meet.

    `together`: items a second of each class and all stricter ones, strictest first, as `required_rates` finds them in a
    trace; without them the sums of the classes' demands. `spare`: share of each machine that is left free.
    """
    check_demands(demands)
    check_offers(offers)
    if not 0 <= spare < 1:
        raise ConfigError(f"the spare share of each machine must be from 0 on and below 1: {spare}")
    ordered = sorted(demands, key=lambda one: one.bound_ms)
    needs = tuple(together) or tuple(accumulate(one.items_per_s or 0.0 for one in ordered))
    found = Problem(
        classes=tuple(one.name for one in ordered),
        needs=tuple(need / (1 - spare) for need in needs),
        variants=tuple(_variants(ordered, offers)),
        limits=tuple(math.inf if one.at_most is None else one.at_most for one in offers),
        offers=tuple(one.name for one in offers),
    )
    _check_reach(found, ordered, offers)
    return found


def _variants(ordered: Sequence[Demand], offers: Sequence[Offer]) -> list[Variant]:
    """Every way of running a machine that serves at least one class."""
    return [
        Variant(offer=at, way=number, level=level, items_per_s=way.items_per_s, price=offer.price_per_hour)
        for at, offer in enumerate(offers)
        for number, way in enumerate(offer.measured)
        if (level := _level(ordered, way.bound_ms)) is not None
    ]


def _level(ordered: Sequence[Demand], bound_ms: float) -> int | None:
    """The place of the strictest class whose bound a throughput measured at `bound_ms` keeps."""
    return next((at for at, one in enumerate(ordered) if one.bound_ms >= bound_ms), None)


def _check_reach(problem: Problem, ordered: Sequence[Demand], offers: Sequence[Offer]) -> None:
    """Raise ConfigError for the first class whose need all machines together do not reach."""
    for at, one in enumerate(ordered):
        most, need = _most(problem, at), problem.needs[at]
        if most >= need * (1 - TOLERANCE):
            continue
        if not most:
            raise ConfigError(
                f"no offer serves class {one.name!r}: none of {', '.join(repr(offer.name) for offer in offers)} was "
                f"measured at a p95 of {one.bound_ms:g} ms or less; measure one at that bound"
            )
        raise ConfigError(
            f"no mix can meet class {one.name!r}: it and stricter classes need {need:,.6g} items/s, and all machines "
            f"that keep its bound give {most:,.6g}; raise at_most, add an offer or lower the demand"
        )


def _most(problem: Problem, level: int) -> float:
    """The most items a second that all machines together give to a class and the stricter ones."""
    best = [0.0] * len(problem.limits)
    for one in problem.variants:
        if one.level <= level:
            best[one.offer] = max(best[one.offer], one.items_per_s)
    return math.fsum(limit * rate for limit, rate in zip(problem.limits, best, strict=True) if rate)
