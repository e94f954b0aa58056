"""Annealed mixes meet the demand, never cost less than the exact optimum, and seldom more; bad input is named."""

import itertools
import math
from dataclasses import replace
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.planner.cases import problems
from pipeline.planning.annealing import Schedule, anneal
from pipeline.planning.exact import optimum
from pipeline.planning.offers import UNBOUNDED_MS, Demand, Measured, Offer
from pipeline.planning.plan import plan
from pipeline.planning.problem import Problem, pose
from schemas.errors import ConfigError

SHORT = Schedule(steps=30, walks=3)


def offer(name: str, price: float, *ways: tuple[float, float], at_most: int | None = None) -> Offer:
    """`ways`: items a second and the bound at which they were measured."""
    measured = tuple(Measured(items_per_s=rate, bound_ms=bound, command="measured") for rate, bound in ways)
    return Offer(name=name, price_per_hour=price, measured=measured, at_most=at_most)


def demands(online: float, refresh: float = 0.0) -> list[Demand]:
    return [
        Demand(name="refresh", items_per_s=refresh),
        Demand(name="online", bound_ms=500, items_per_s=online),
    ]


def best_price(problem: Problem) -> float:
    found = optimum(problem)
    assert found is not None
    assert found.proven
    return problem.price(found.counts)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
@example(15961)
def test_a_mix_meets_the_demand_and_never_costs_less_than_the_exact_optimum(seed: int) -> None:
    (problem,) = problems(seed, 1)
    mix = anneal(problem, Random(seed), Schedule(steps=200, walks=10))
    assert problem.meets(mix)
    assert all(count >= 0 for count in mix)
    assert problem.price(mix) >= best_price(problem) * (1 - 1e-9)


def test_annealing_comes_within_a_hundredth_of_the_exact_optimum() -> None:
    found = problems(7, 12)
    schedule = Schedule(steps=150, walks=10)
    gaps = [
        problem.price(anneal(problem, Random(1), schedule)) / best_price(problem) - 1 for problem in found
    ]
    assert len(gaps) == 12
    assert max(gaps) <= 0.01


@pytest.mark.parametrize("seed", range(6))
def test_the_exact_solver_agrees_with_trying_everything(seed: int) -> None:
    problem = problems(seed, 1)[0]
    few = replace(problem, variants=problem.variants[:3], needs=tuple(need / 100 for need in problem.needs))
    most = [range(1 + math.ceil(few.needs[-1] / one.items_per_s)) for one in few.variants]
    prices = [few.price(mix) for mix in itertools.product(*most) if few.meets(mix)]
    found = optimum(few)
    assert (found is None) == (not prices)
    assert found is None or few.price(found.counts) == pytest.approx(min(prices))


def test_two_machines_with_a_worse_price_for_each_item_beat_a_mix_that_has_too_much() -> None:
    problem = pose(demands(10), [offer("six", 6.0, (6, 500)), offer("five", 5.1, (5, 500))])
    assert plan(problem, 1, check=True).price_per_hour == pytest.approx(10.2)


def test_work_that_may_wait_goes_to_machines_that_keep_no_bound_and_strict_work_does_not() -> None:
    problem = pose(
        demands(100, 400), [offer("quick", 2.0, (100, 500)), offer("slow", 1.0, (200, UNBOUNDED_MS))]
    )
    found = plan(problem, 1)
    assert {one.offer: one.machines for one in found.machines} == {"quick": 1, "slow": 2}
    assert problem.capacities(found.counts) == (100.0, 500.0)


def test_spare_machines_of_a_strict_class_serve_work_that_may_wait() -> None:
    problem = pose(demands(100, 100), [offer("quick", 1.0, (250, 500))])
    assert sum(plan(problem, 1).counts) == 1


def test_a_machine_runs_in_one_way_at_a_time_and_counts_once_against_the_limit() -> None:
    both = offer("both", 1.0, (100, 500), (200, UNBOUNDED_MS), at_most=10)
    found = plan(pose(demands(800, 400), [both]), 1)
    assert sum(one.machines for one in found.machines) == 10
    unreachable = pose(demands(800, 500), [both])
    assert optimum(unreachable) is None
    with pytest.raises(ConfigError, match=r"the nearest lacks 100 items/s for class 'refresh'"):
        anneal(unreachable, Random(1), SHORT)


def test_the_same_seed_gives_the_same_mix() -> None:
    (problem,) = problems(3, 1)
    assert anneal(problem, Random(5), SHORT) == anneal(problem, Random(5), SHORT)


def test_a_spare_share_asks_for_more() -> None:
    offers = [offer("one", 1.0, (100, 500))]
    assert sum(plan(pose(demands(1000), offers, spare=0.2), 1).counts) == 13
    with pytest.raises(ConfigError, match="spare share"):
        pose(demands(1000), offers, spare=1.0)


def test_a_machine_that_costs_nothing_is_used_first() -> None:
    problem = pose(demands(250), [offer("own", 0.0, (100, 500), at_most=2), offer("rented", 1.0, (100, 500))])
    assert plan(problem, 1, check=True).price_per_hour == 1.0


@pytest.mark.parametrize(
    ("offers", "named"),
    [
        ([], "there is no offer"),
        ([offer("bare", 1.0)], "offer 'bare' has no measured throughput, and none is guessed"),
        (
            [offer("a", math.nan, (1, 500))],
            "offer 'a': price_per_hour must be a number that is not negative: nan",
        ),
        ([offer("a", -1.0, (1, 500))], "offer 'a': price_per_hour must be a number that is not negative: -1"),
        ([offer("a", 1.0, (math.nan, 500))], "offer 'a': items_per_s must be a number above 0: nan"),
        ([offer("a", 1.0, (0.0, 500))], "offer 'a': items_per_s must be a number above 0: 0"),
        ([offer("a", 1.0, (1, math.nan))], "offer 'a': bound_ms must be above 0: nan"),
        ([offer("a", 1.0, (1, 500), at_most=-1)], "offer 'a': at_most must not be negative: -1"),
        ([offer("a", 1.0, (1, 500))] * 2, "offer 'a' is there twice"),
        (
            [offer("slow", 1.0, (1, 501))],
            "no offer serves class 'online': none of 'slow' was measured at a p95 of 500",
        ),
        (
            [offer("a", 1.0, (100, 500), at_most=9)],
            "no mix can meet class 'online'.*need 1,000 items/s.*give 900",
        ),
    ],
)
def test_offers_that_no_plan_can_be_made_from_are_named(offers: list[Offer], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        pose(demands(1000), offers)


@pytest.mark.parametrize(
    ("classes", "named"),
    [
        ([], "there is no traffic class"),
        ([Demand(name="a", items_per_s=math.nan)], "class 'a': items_per_s must be"),
        ([Demand(name="a", items_per_s=-1)], "class 'a': items_per_s must be"),
        ([Demand(name="a", items_per_s=0)], "no class demands anything"),
        ([Demand(name="a")], "class 'a' has no demand"),
        ([Demand(name="a", bound_ms=0, items_per_s=1)], "class 'a': bound_ms must be above 0"),
        ([Demand(name="a", items_per_s=1)] * 2, "class 'a' is there twice"),
    ],
)
def test_demands_that_cannot_be_are_named(classes: list[Demand], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        pose(classes, [offer("a", 1.0, (1, 500))])
