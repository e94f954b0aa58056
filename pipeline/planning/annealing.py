"""Simulated annealing over mixes of machines (arXiv 2207.04594): a random walk that gets choosier as it cools.

A step adds machines, removes some or exchanges some for others. The walk minimizes price plus a charge for every item a
second that a mix lacks, so that it may pass through mixes that are short. What `anneal` returns meets every need: the
least expensive such mix that any walk came by, after removals and exchanges were tried until none saves money.
"""

import math
from dataclasses import dataclass
from random import Random

from pipeline.planning.improving import filled, improved, lacking
from pipeline.planning.problem import TOLERANCE, Counts, Problem
from pipeline.planning.walk import Walk
from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how hot: at most `walks` walks, none after `patience` in a row that found nothing better.

    Each walk begins at the best mix so far and has `steps` steps for each variant. Its temperature begins at `hot`
    times a price drawn between those of the least and the most expensive machine, and ends at `cold` times the least.
    """

    steps: int = 1000
    walks: int = 40
    patience: int = 20
    hot: float = 1.0
    cold: float = 0.3


DEFAULT = Schedule()


def anneal(problem: Problem, random: Random, schedule: Schedule = DEFAULT) -> Counts:
    """A mix that meets every need at a low price; ConfigError, with what is lacking, when no walk came by one."""
    best, in_vain = improved(problem, filled(problem)), 0
    for _ in range(schedule.walks):
        walked = improved(problem, _walked(problem, best, random, schedule))
        better = _price(problem, walked) < _price(problem, best)
        best, in_vain = (walked, 0) if better else (best, in_vain + 1)
        if in_vain == schedule.patience:
            break
    if not problem.meets(best):
        raise ConfigError(_what_lacks(problem, best))
    return best


def _walked(problem: Problem, start: Counts, random: Random, schedule: Schedule) -> Counts:
    """The least expensive mix that meets the needs on a walk from `start`; `start` itself if there is none better."""
    walk, best, best_price = Walk(problem, start), start, _price(problem, start)
    prices = [one.price for one in problem.variants if one.price] or [1.0]
    unit, steps = min(prices), schedule.steps * len(problem.variants)
    heat = schedule.hot * unit * (max(prices) / unit) ** random.random()
    cooling = (schedule.cold * unit / heat) ** (1 / steps)
    for _ in range(steps):
        # sums of floats differ in their last digits, so that an equal price may look lower
        if walk.step(random, heat) and walk.enough() and walk.price < best_price - TOLERANCE * unit:
            best, best_price = walk.mix(), walk.price
        heat *= cooling
    return best


def _price(problem: Problem, counts: Counts) -> float:
    """The price of a mix; infinite when it does not meet the needs."""
    return problem.price(counts) if problem.meets(counts) else math.inf


def _what_lacks(problem: Problem, counts: Counts) -> str:
    short = zip(problem.classes, lacking(problem, counts), strict=True)
    missing = ", ".join(
        f"{items_per_s:,.6g} items/s for class {name!r}" for name, items_per_s in short if items_per_s
    )
    return (
        f"no mix was found that meets the demand: the nearest lacks {missing}; raise at_most or add an offer"
    )
