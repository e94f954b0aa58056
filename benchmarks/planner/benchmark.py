"""`python -m benchmarks planner`: annealing beside an exact solver, and what 3.15M items/s take with each technique."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from benchmarks.common.report import FOLDER, Result, Row, say, write
from benchmarks.common.settings import PlannerBenchmark
from benchmarks.planner.cases import problems
from benchmarks.planner.shaping import shaping_rows
from pipeline.planning.annealing import anneal
from pipeline.planning.exact import optimum
from pipeline.planning.improving import filled, improved
from pipeline.planning.offers import Catalog
from pipeline.planning.plan import plan
from pipeline.planning.problem import Counts, Problem, pose
from pipeline.planning.reading import read_catalog
from pipeline.planning.techniques import cases

NAME = "planner"
OFFERS = FOLDER.parents[1] / "nearline" / "sample" / "offers"
GOAL_GAP = 0.01
COMPARED = {
    "published": "published throughputs and factors",
    "pruned": "this project's, where it has measured them",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One problem: price of the annealed mix over that of the exact optimum, less 1, and seconds of processor time.

    `greedy_gap`: the same of the mix that annealing starts from.
    """

    classes: int
    gap: float
    greedy_gap: float
    annealing_s: float
    exact_s: float


def measure(settings: PlannerBenchmark, folder: Path = FOLDER) -> Result:
    """Measure, write the result to `folder` and return it."""
    found = [
        _one(problem, settings.seed + at)
        for at, problem in enumerate(problems(settings.seed, settings.cases))
    ]
    say(f"{len(found)} problems solved by both")
    compared = {name: technique_rows(read_catalog(OFFERS / f"{name}.toml"), settings) for name in COMPARED}
    waiting = list(shaping_rows(settings.seed))
    result = Result(
        name=NAME,
        title="The capacity planner beside an exact solver",
        settings=asdict(settings),
        tables={
            "Random small problems": gap_rows(found),
            **{_title(name): rows for name, rows in compared.items()},
            "What it saves that alerts may wait: items/s that made-up traffic requires": waiting,
        },
        findings=[
            finding(found),
            *(_taken(name, rows) for name, rows in compared.items()),
            _saved(waiting),
        ],
        detail={"problems": [asdict(one) for one in found]},
    )
    write(result, folder)
    return result


def gap_rows(found: Sequence[Measurement]) -> list[Row]:
    """A row for each number of classes."""
    return [
        _gaps([one for one in found if one.classes == classes])
        for classes in sorted({one.classes for one in found})
    ]


def technique_rows(catalog: Catalog, settings: PlannerBenchmark) -> list[Row]:
    """Machines and price of the file's demand with and without each technique, by exact optimum and annealing."""
    rows: list[Row] = []
    for case in cases(catalog.offers, catalog.techniques):
        found = plan(pose(catalog.demands, case.offers), settings.seed, check=True)
        first = float(str(rows[0]["price an hour"])) if rows else found.price_per_hour
        rows.append(
            {
                "case": case.name,
                "machines": sum(found.counts),
                "price an hour": found.price_per_hour,
                "times the first": found.price_per_hour / first,
                "over the exact optimum": f"{found.gap or 0.0:.3%}",
            }
        )
    return rows


def finding(found: Sequence[Measurement]) -> str:
    """One sentence about all problems."""
    equal, within = (sum(one.gap <= most for one in found) for most in (1e-9, GOAL_GAP))
    return (
        f"{len(found)} random small problems: the annealed mix is the exact optimum in {equal} and within 1% of it in "
        f"{within}; the largest gap is {max(one.gap for one in found):.2%}, the longest annealing "
        f"{max(one.annealing_s for one in found):.2f} s of processor time (goals: within 1%, at most 10 s)"
    )


def _one(problem: Problem, seed: int) -> Measurement:
    started = time.process_time()
    mix = anneal(problem, Random(seed))
    annealed = time.process_time()
    best = optimum(problem)
    solved = time.process_time()
    if best is None or not best.proven or not (problem.meets(mix) and problem.meets(best.counts)):
        raise ValueError(
            f"problem {seed}: annealed {mix}, exact {best}: one of them is no answer to {problem}"
        )
    return Measurement(
        classes=len(problem.classes),
        gap=_gap(problem, mix, best.counts),
        greedy_gap=_gap(problem, improved(problem, filled(problem)), best.counts),
        annealing_s=annealed - started,
        exact_s=solved - annealed,
    )


def _gap(problem: Problem, counts: Counts, best: Counts) -> float:
    """By which share a mix is dearer than the best one; sums of equal prices may differ in their last digits."""
    return round(problem.price(counts) / problem.price(best) - 1, 12) + 0.0


def _gaps(found: Sequence[Measurement]) -> Row:
    return {
        "classes": found[0].classes,
        "problems": len(found),
        "optimal": sum(one.gap <= 1e-9 for one in found),
        "within 1%": sum(one.gap <= GOAL_GAP for one in found),
        "mean gap": f"{statistics.fmean(one.gap for one in found):.3%}",
        "largest gap": f"{max(one.gap for one in found):.2%}",
        "largest of greedy": f"{max(one.greedy_gap for one in found):.1%}",
        "annealing, s": statistics.median(one.annealing_s for one in found),
        "at most, s": max(one.annealing_s for one in found),
        "exact, s": statistics.median(one.exact_s for one in found),
    }


def _title(name: str) -> str:
    return f"{_demanded(name):,.0f} items/s by {COMPARED[name]}"


def _demanded(name: str) -> float:
    return sum(one.items_per_s or 0.0 for one in read_catalog(OFFERS / f"{name}.toml").demands)


def _taken(name: str, rows: Sequence[Row]) -> str:
    """One sentence about the first and the last row of a table."""
    machines = [f"{row['machines']:,}" for row in rows]
    return f"{_title(name)}: {machines[0]} machines {rows[0]['case']}, {machines[-1]} {rows[-1]['case']}"


def _saved(rows: Sequence[Row]) -> str:
    """One sentence about what waiting saves."""
    factors = [float(str(row["factor"])) for row in rows]
    return (
        f"Made-up traffic requires {min(factors):.2f} to {max(factors):.2f} times the throughput if alerts may not wait 30 s "
        "(published for shaping: 1.25)"
    )
