"""The contenders, and how their settings are chosen: on traces that no figure is reported on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.overload.controls import Blind, CoDel, Control, NoControl, Ours, Queued
from benchmarks.overload.requests import BOUND_S, TUNING_BURSTS, WANTED, bursts
from benchmarks.overload.run import Outcome, run
from benchmarks.overload.servers import Speed
from pipeline.control.concurrency_limit import AimdLimit, AimdSettings, ConcurrencyLimit, FixedLimit
from pipeline.control.depth import DepthController, DepthSettings
from pipeline.control.gradient_limit import GradientLimit, GradientSettings
from pipeline.control.policies import AdmissionSettings

FLOOR = 50
#: Bounds of the learned limits in candidates: fewer than 100 leave some of ten workers without a job.
LEAST, START, MOST = 100.0, 400.0, 2_000.0
Choice = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A control with the values of its setting that are tried; `make` takes one of each."""

    name: str
    make: Callable[[Choice], Control]
    choices: Sequence[Choice] = ({},)


def aimd(choice: Choice) -> ConcurrencyLimit:
    """Ours by additive increase."""
    return AimdLimit(AimdSettings(start=START, least=LEAST, most=MOST, bound_s=choice["bound_s"]))


def gradient(choice: Choice) -> ConcurrencyLimit:
    """Ours by gradient."""
    own = GradientSettings(start=START, least=LEAST, most=MOST, tolerance=choice["tolerance"])
    return GradientLimit(own)


def ours(limit: ConcurrencyLimit, p95_s: float | None) -> Control:
    """Admission, with a depth unless `p95_s` is None."""
    depth = None if p95_s is None else DepthController(DepthSettings(floor=FLOOR, most=WANTED, p95_s=p95_s))
    return Ours(limit, AdmissionSettings(), depth)


def _grid(**values: Sequence[float]) -> list[Choice]:
    found: list[dict[str, float]] = [{}]
    for name, some in values.items():
        found = [one | {name: value} for one in found for value in some]
    return list(found)


_AIMS = (0.3, 0.35, 0.4)
_FIXED, _BOUNDS, _TOLERANCES = (300.0, 400.0, 500.0), (0.25, 0.3, 0.35), (1.5, 2.0, 3.0)
CONTENDERS = (
    Contender(name="no control", make=lambda _: NoControl()),
    Contender(
        name="fixed limit, queue", make=lambda c: Queued(FixedLimit(c["limit"])), choices=_grid(limit=_FIXED)
    ),
    Contender(
        name="CoDel",
        make=lambda c: CoDel(FixedLimit(c["limit"]), c["target_s"], 0.3),
        choices=_grid(limit=(300.0, 500.0), target_s=(0.02, 0.05, 0.1)),
    ),
    Contender(name="AIMD, refusing", make=lambda c: Blind(aimd(c)), choices=_grid(bound_s=_BOUNDS)),
    Contender(
        name="gradient, refusing", make=lambda c: Blind(gradient(c)), choices=_grid(tolerance=_TOLERANCES)
    ),
    Contender(
        name="ours, fixed limit",
        make=lambda c: ours(FixedLimit(c["limit"]), c["p95_s"]),
        choices=_grid(limit=_FIXED, p95_s=_AIMS),
    ),
    Contender(
        name="ours, gradient",
        make=lambda c: ours(gradient(c), c["p95_s"]),
        choices=_grid(tolerance=_TOLERANCES, p95_s=_AIMS),
    ),
    Contender(
        name="ours, AIMD",
        make=lambda c: ours(aimd(c), c["p95_s"]),
        choices=_grid(bound_s=_BOUNDS, p95_s=_AIMS),
    ),
    Contender(
        name="ours, AIMD, no depth", make=lambda c: ours(aimd(c), None), choices=_grid(bound_s=_BOUNDS)
    ),
)
OURS, SHAPING = "ours, AIMD", "ours, AIMD, no depth"


def chosen(contender: Contender, speed: Speed, workers: int, seeds: Sequence[int]) -> Choice:
    """The best choice on the tuning bursts: the bound, then a goodput of 95%, then few shed, then a great depth."""

    def cost(choice: Choice) -> tuple[Any, ...]:
        made = [_tuning(contender, choice, speed, workers, seed) for seed in seeds]
        worst, good = max(one.worst_p95_s() for one in made), min(one.goodput() for one in made)
        shed = sum(one.shed() for one in made) / len(made)
        depth = sum(one.mean_depth(*burst) for one in made for burst in one.trace.bursts)
        return max(0.0, worst - BOUND_S), max(0.0, 0.95 - good), round(shed, 2), -depth

    return min(contender.choices, key=cost) if len(contender.choices) > 1 else contender.choices[0]


def _tuning(contender: Contender, choice: Choice, speed: Speed, workers: int, seed: int) -> Outcome:
    trace = bursts(workers * speed.items_per_s, seed, TUNING_BURSTS)
    return run(trace, contender.make(choice), speed, workers, seed)
