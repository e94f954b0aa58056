"""A plan: the machines of a mix by offer and way of running, what they cost, and what each class gets."""

from dataclasses import dataclass
from random import Random
from typing import Any

from pipeline.planning.annealing import DEFAULT, Schedule, anneal
from pipeline.planning.exact import optimum
from pipeline.planning.problem import Counts, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """So many machines of an offer, all in the way of running that stands at `way` in the offer's list."""

    offer: str
    way: int
    machines: int
    items_per_s: float
    price_per_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A mix that meets the demand. `exact`: what the exact optimum costs an hour; None if that was not asked for."""

    problem: Problem
    counts: Counts
    exact: float | None = None

    @property
    def price_per_hour(self) -> float:
        """What all machines cost an hour."""
        return self.problem.price(self.counts)

    @property
    def machines(self) -> tuple[Machines, ...]:
        """The machines that the mix has, in the order of the offers."""
        return tuple(
            Machines(
                offer=self.problem.offers[one.offer],
                way=one.way,
                machines=count,
                items_per_s=count * one.items_per_s,
                price_per_hour=count * one.price,
            )
            for count, one in zip(self.counts, self.problem.variants, strict=True)
            if count
        )

    @property
    def gap(self) -> float | None:
        """By which share the mix is dearer than the exact optimum; None if that is not known."""
        if self.exact is None:
            return None
        return self.price_per_hour / self.exact - 1 if self.exact else self.price_per_hour

    def figures(self) -> dict[str, Any]:
        """The plan as plain values, for JSON."""
        problem = self.problem
        served = zip(problem.classes, problem.needs, problem.capacities(self.counts), strict=True)
        return {
            "price_per_hour": self.price_per_hour,
            "exact_price_per_hour": self.exact,
            "gap": self.gap,
            "machines": [
                {name: getattr(one, name) for name in one.__dataclass_fields__} for one in self.machines
            ],
            "classes": [
                {"class": name, "needed_with_stricter": need, "items_per_s": has}
                for name, need, has in served
            ],
        }


def plan(problem: Problem, seed: int, *, check: bool = False, schedule: Schedule = DEFAULT) -> Plan:
    """The mix that annealing finds, beside the exact optimum with `check`; ConfigError if there is none."""
    counts = anneal(problem, Random(seed), schedule)
    best = optimum(problem) if check else None
    return Plan(problem=problem, counts=counts, exact=None if best is None else problem.price(best.counts))
