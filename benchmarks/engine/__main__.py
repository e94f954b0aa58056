"""`python -m benchmarks.engine`: our engine and its peers, interleaved on one machine (docs/benchmarks/README.md)."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from fnmatch import fnmatch
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.common.report import FOLDER, measured_on, say
from benchmarks.engine import closed, open_loop, page, tokenizing
from benchmarks.engine.cases import Case, cases
from benchmarks.engine.fleet import Fleet
from benchmarks.engine.peers import Setup
from benchmarks.engine.shapes import ROOT, ensure, shape_of

BUILD = ROOT / "build" / "bench-engine"
QUICK_SHAPE, QUICK_SCALE = "tiny", 0.25


def main(argv: Sequence[str] | None = None) -> None:
    """Run the cases that were asked for, shape by shape; what is found is written as it comes."""
    given = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    arguments = sys.argv[1:] if argv is None else argv
    conditions = measured_on() | {"command": f"python -m benchmarks.engine {shlex.join(arguments)}".strip()}
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
    return case.shape, case.heat


def _run(group: list[Case], given: argparse.Namespace) -> Iterator[tuple[Case, dict[str, Any]]]:
    """Each case of one fleet and what it found so far."""
    shape = group[0].shape
    path = ensure(shape, BUILD)
    setup = Setup(path=path, device=given.device, threads=given.threads, logs=BUILD / "logs")
    for case in [case for case in group if case.kind == "tokenization"]:
        yield case, tokenizing.measure(setup, case)
    racing = [case for case in group if case.kind != "tokenization"]
    names = [name for case in racing for name in case.contenders]
    if not racing:
        return
    with Fleet(setup, shape_of(shape), names) as fleet:
        for case in racing:
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


def _chosen(given: argparse.Namespace) -> list[Case]:
    """The cases asked for, with the rounds and contenders asked for; those of a fleet beside each other."""
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
    """Those that a pattern names wholly, without their dtype, or by a wildcard."""
    return tuple(
        name
        for name in names
        if any(fnmatch(name, pattern) or name.partition(":")[0] == pattern for pattern in patterns)
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--out", type=Path, help=f"merged with what is there ({FOLDER}; of a GPU its gpu/)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="of each engine (%(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="the tiny shape only, two rounds")
    parser.add_argument("--only", type=_names, default=(), help="cases, with commas between")
    parser.add_argument("--contenders", type=_names, default=(), help="such as ours,vllm:bfloat16,*:float32")
    parser.add_argument("--rounds", type=int, default=0, help="instead of each case's own number")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


if __name__ == "__main__":
    main()
