"""Closed loop: all contenders answer the same requests, in turns, round after round."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.engine.cases import Case
from benchmarks.engine.contenders import Contender
from benchmarks.engine.fleet import REFERENCE, Fleet
from benchmarks.engine.operations import necessary
from benchmarks.engine.workload import Load, Request, equal, largest_difference
from benchmarks.report import say

WAKING = equal(2, 24, 8)
"""What each turn begins with, unmeasured: a process that was stopped has lost the caches."""


def measure(fleet: Fleet, case: Case) -> dict[str, Any]:
    """What the JSON keeps of a case: seconds of every round, differences from the reference, the peak."""
    names = [name for name in case.contenders if name in fleet.running]
    seconds: dict[str, list[float]] = {name: [] for name in names}
    differences: dict[str, float] = {}
    peaks: list[dict[str, float]] = []
    started = time.monotonic()
    for number in range(case.rounds):
        if number and (time.monotonic() - started) * (number + 1) / number > case.budget_s:
            break
        peaks.append(fleet.measure_peak())
        asked = [_draw(fleet, case.load, f"{case.name} {number} {n}") for n in range(case.repeats)]
        reference = _reference(fleet, asked[0]) if number == 0 else None
        for name in _rotated([name for name in names if name in fleet.running], number):
            with fleet.turn(name) as one:
                took, answer = _timed(fleet, one, asked)
                seconds[name].append(took)
                say(f"{case.name}: {name} {took:.2f} s")
                if reference is not None:
                    differences[name] = largest_difference(answer, reference)
        say(f"{case.name}: round {number + 1} of {case.rounds}")
    finished = {name: found for name, found in seconds.items() if name in fleet.running}
    return {
        "items": case.load.items * case.repeats,
        "operations": case.repeats * necessary(fleet.shape, case.load, last_layer_whole=True),
        "operations_last_tokens": case.repeats * necessary(fleet.shape, case.load, last_layer_whole=False),
        "peak": {name: max(peak[name] for peak in peaks) for name in peaks[0]},
        "seconds": finished,
        "differences": {name: differences[name] for name in finished if name in differences},
    }


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


def _draw(fleet: Fleet, load: Load, seed: str) -> list[Request]:
    return load.draw(seed, fleet.shape.vocab)


def _rotated(names: list[str], by: int) -> list[str]:
    """Each round begins with another."""
    start = by % max(1, len(names))
    return names[start:] + names[:start]
