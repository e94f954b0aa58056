"""Closed loop: in each round all contenders answer the same requests, one contender after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.common.report import say
from benchmarks.engine.cases import Case
from benchmarks.engine.contenders import Contender
from benchmarks.engine.fleet import REFERENCE, Fleet
from benchmarks.engine.operations import necessary
from benchmarks.engine.speeds import finalists
from benchmarks.engine.workload import Request, Workload, equal, largest_difference

WAKING = equal(2, 24, 8)
"""Request before each turn that is not measured: while a process was stopped, others have filled the caches."""


def measure(fleet: Fleet, case: Case) -> Iterator[dict[str, Any]]:
    """Yield a case's results after each round: seconds of all rounds, differences from the reference, the peak.

    All contenders run in the first round. In a closed loop only the fastest run in later ones, so that there is time
    for more rounds.
    """
    rounds = _Rounds(fleet, case, [name for name in case.contenders if name in fleet.running])
    started = began = time.monotonic()
    for number in range(case.rounds):
        last_s, began = time.monotonic() - began, time.monotonic()
        if number and began - started + last_s > case.budget_s:
            break
        rounds.run(number)
        say(f"{case.name}: round {number + 1} of {case.rounds}")
        yield rounds.found()


class _Rounds:
    """Runs the rounds of one case and keeps their results."""

    def __init__(self, fleet: Fleet, case: Case, names: list[str]) -> None:
        self._fleet, self._case, self._names = fleet, case, names
        self._seconds: dict[str, list[float]] = {name: [] for name in names}
        self._differences: dict[str, float] = {}
        self._peak: dict[str, float] = {}

    def run(self, number: int) -> None:
        """Run one round; in the first one answers are compared with the reference."""
        self._measure_peak()
        case = self._case
        asked = [_draw(self._fleet, case.load, f"{case.name} {number} {n}") for n in range(case.repeats)]
        reference = None if number else _reference(self._fleet, asked[0])
        for name in _rotated(self._names, number):
            self._turn(name, asked, reference)
        self._measure_peak()
        self._names = [name for name in self._names if name in self._fleet.running]
        if case.kind == "closed":
            self._names = finalists({name: self._seconds[name] for name in self._names})

    def found(self) -> dict[str, Any]:
        """The results of the contenders that never failed."""
        load, repeats, shape = self._case.load, self._case.repeats, self._fleet.shape
        running = self._fleet.running
        return {
            "items": load.items * repeats,
            "operations": repeats * necessary(shape, load, last_layer_whole=True),
            "operations_last_tokens": repeats * necessary(shape, load, last_layer_whole=False),
            "peak": self._peak,
            "seconds": {name: found for name, found in self._seconds.items() if name in running},
            "differences": {name: found for name, found in self._differences.items() if name in running},
        }

    def _measure_peak(self) -> None:
        for routine, value in self._fleet.measure_peak().items():
            self._peak[routine] = max(value, self._peak.get(routine, 0.0))

    def _turn(self, name: str, asked: Sequence[list[Request]], reference: list[list[float]] | None) -> None:
        with self._fleet.turn(name) as one:
            took, answer = _timed(self._fleet, one, asked)
            self._seconds[name].append(took)
            say(f"{self._case.name}: {name} {took:.2f} s")
            if reference is not None:
                self._differences[name] = largest_difference(answer, reference)


def _timed(fleet: Fleet, one: Contender, asked: Sequence[list[Request]]) -> tuple[float, list[list[float]]]:
    """Seconds of all calls, and the answer to the first."""
    one.score(_draw(fleet, WAKING, "waking"))
    start = time.perf_counter()
    answers = [one.score(requests) for requests in asked]
    return time.perf_counter() - start, answers[0]


def _reference(fleet: Fleet, requests: list[Request]) -> list[list[float]] | None:
    if REFERENCE in fleet.running:
        with fleet.turn(REFERENCE) as one:
            return one.score(requests)
    return None


def _draw(fleet: Fleet, load: Workload, seed: str) -> list[Request]:
    return load.draw(seed, fleet.shape.vocab)


def _rotated(names: list[str], by: int) -> list[str]:
    """The names in the order of round `by`: each round begins with another contender."""
    start = by % max(1, len(names))
    return names[start:] + names[:start]
