"""`python -m benchmarks.engine`: the engine and its peers, in turns on one machine (docs/benchmarks/README.md)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from fnmatch import fnmatch
from itertools import groupby
from typing import Any

from benchmarks.common.report import FOLDER, command, measured_on, say
from benchmarks.common.settings import EngineBenchmark
from benchmarks.engine import closed, open_loop, page, tokenizing
from benchmarks.engine.cases import Case, cases
from benchmarks.engine.fleet import Fleet
from benchmarks.engine.peers import EngineSetup
from benchmarks.engine.shapes import ROOT, ensure
from models.engine.checkpoint import read_shape
from models.smollm2 import SmolLM2Unavailable
from schemas import arguments

BUILD = ROOT / "build" / "bench-engine"
QUICK_SHAPE, QUICK_SCALE = "tiny", 0.25


def main(argv: Sequence[str] | None = None) -> None:
    """Run the chosen cases, shape by shape; results are written after each round."""
    given = arguments.parse(EngineBenchmark, argv, prog="python -m benchmarks.engine", description=__doc__)
    given = replace(given, threads=given.threads or os.cpu_count() or 1)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    words = sys.argv[1:] if argv is None else argv
    conditions = measured_on() | {"command": command("benchmarks.engine", words)}
    out = given.out or (FOLDER if given.device == "cpu" else FOLDER / "gpu")
    settings = {"device": given.device, "threads": given.threads, "quick": given.quick}
    for _, group in groupby(_chosen(given), key=_fleet):
        for case, found in _run(list(group), given):
            entry = (
                asdict(case) | {"threads": given.threads, "device": given.device, "run": conditions} | found
            )
            page.publish(out, page.read(out) | {case.name: entry}, settings, conditions)
    say(f"written to {out}")


def _fleet(case: Case) -> tuple[str, str]:
    return case.shape, case.group


def _run(group: list[Case], given: EngineBenchmark) -> Iterator[tuple[Case, dict[str, Any]]]:
    """Run the cases of one fleet; yields each case with its results so far."""
    try:
        path = ensure(group[0].shape, BUILD, given.smollm2)
    except SmolLM2Unavailable as reason:
        say(f"without {', '.join(case.name for case in group)}: {reason}")
        return
    setup = EngineSetup(path=path, device=given.device, threads=given.threads, logs=BUILD / "logs")
    for case in [case for case in group if case.kind == "tokenization"]:
        yield case, tokenizing.measure(setup, case)
    compared = [case for case in group if case.kind != "tokenization"]
    names = [name for case in compared for name in case.contenders]
    if not compared:
        return
    with Fleet(setup, read_shape(path), names) as fleet:
        for case in compared:
            scale = QUICK_SCALE if given.quick else 1.0
            steps = (
                open_loop.measure(fleet, case, scale) if case.kind == "open" else closed.measure(fleet, case)
            )
            for found in steps:
                yield case, found | _attendance(fleet, case)


def _attendance(fleet: Fleet, case: Case) -> dict[str, object]:
    return {
        "versions": {name: note for name, note in fleet.versions.items() if name in case.contenders},
        "absent": {name: why for name, why in fleet.absent.items() if name in case.contenders},
    }


def _chosen(given: EngineBenchmark) -> list[Case]:
    """The chosen cases with the chosen rounds and contenders, ordered so that cases of one fleet follow each other."""
    found = [case for case in cases(given.device) if not given.only or case.name in given.only]
    if given.quick:
        found = [replace(case, rounds=min(case.rounds, 2)) for case in found if case.shape == QUICK_SHAPE]
    if given.rounds:
        found = [replace(case, rounds=given.rounds) for case in found]
    if given.contenders:
        found = [replace(case, contenders=_matching(case.contenders, given.contenders)) for case in found]
    fleets = list(dict.fromkeys(map(_fleet, found)))
    return sorted(found, key=lambda case: fleets.index(_fleet(case)))


def _matching(names: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    """The contenders that a pattern names: by the whole name, without its dtype, or by a wildcard."""
    return tuple(
        name
        for name in names
        if any(fnmatch(name, pattern) or name.partition(":")[0] == pattern for pattern in patterns)
    )


if __name__ == "__main__":
    main()
