"""The exact optimum of a planning problem by HiGHS, a branch-and-bound solver of integer programs, through SciPy."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pipeline.planning.problem import Counts, Problem
from schemas.errors import ConfigError

TIME_LIMIT_S = 10.0
STDOUT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """What the solver found within its time: the counts, and whether they are proven to be the best."""

    counts: Counts
    proven: bool


def optimum(problem: Problem, time_limit_s: float = TIME_LIMIT_S) -> Optimum | None:
    """The least expensive mix; None when no mix meets the needs, or none was found in time.

    Whole numbers of machines, one row for each class (capacity at least its need) and one for each offer with a limit
    (machines at most). ConfigError without SciPy.
    """
    try:
        from scipy.optimize import Bounds, milp
    except ImportError as error:
        raise ConfigError(
            f"the exact solver needs SciPy ({error}): pip install 'nearline-job-search[plan]'"
        ) from error
    with _silence():
        found = milp(
            c=[one.price for one in problem.variants],
            integrality=[1] * len(problem.variants),
            bounds=Bounds(0, [problem.limits[one.offer] for one in problem.variants]),
            constraints=_rows(problem),
            options={"mip_rel_gap": 0.0, "time_limit": time_limit_s},
        )
    if found.x is None:
        return None
    return Optimum(counts=tuple(round(count) for count in found.x), proven=found.status == 0)


@contextmanager
def _silence() -> Iterator[None]:
    """Send what HiGHS now and then prints on the process's standard output, whatever it is told, to nowhere."""
    sys.stdout.flush()
    kept, nowhere = os.dup(STDOUT), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDOUT)
        yield
    finally:
        os.dup2(kept, STDOUT)
        os.close(kept)
        os.close(nowhere)


def _rows(problem: Problem) -> tuple[list[list[float]], list[float], list[float]]:
    """Coefficients, lower and upper limits: classes first, then offers."""
    infinite = float("inf")
    levels = range(len(problem.needs))
    capacity = [[one.items_per_s * (one.level <= at) for one in problem.variants] for at in levels]
    machines = [[float(one.offer == at) for one in problem.variants] for at in range(len(problem.limits))]
    return (
        capacity + machines,
        [*problem.needs, *[0.0] * len(problem.limits)],
        [*[infinite] * len(problem.needs), *problem.limits],
    )
