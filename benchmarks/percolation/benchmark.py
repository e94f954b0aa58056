"""`python -m benchmarks percolation`: postings a second against saved searches, beside perq and mokaccino.

Each contender runs in a process of its own, on one core, over the same searches and postings; a rate is of processor
time. The peers get words as we compare them, and of filters which values let a posting pass, so that they find the
same candidates, which is checked.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common.report import FOLDER, Result, Row, measured_on, say, write
from benchmarks.common.settings import PercolationBenchmark
from benchmarks.percolation import clauses, workload

NAME = "percolation"
ROOT = Path(__file__).parents[2]
PEERS = ("perq", "mokaccino")
PYTHON = ROOT / ".envs" / "percolation" / "bin" / "python"
OURS = "nearline"
LIMIT_S = 3_600


def measure(settings: PercolationBenchmark, folder: Path = FOLDER) -> Result:
    """All conditions and numbers of searches, written into `folder`."""
    where, rows = measured_on(), list[Row]()
    for count in settings.searches:
        for condition in settings.conditions:
            rows += _compared(settings, count, condition)
    result = Result(
        name=NAME,
        title="Batches of postings against all saved searches",
        settings=asdict(settings),
        tables={"Postings a second of one core": rows},
        findings=[_finding(row, rows) for row in rows if row["contender"] == OURS],
        plots=[],
    )
    write(result, folder, where)
    return result


def _compared(settings: PercolationBenchmark, count: int, condition: str) -> list[Row]:
    ours = _ours(settings, count, condition, settings.postings)
    rows = [_row(OURS, count, condition, ours)]
    if condition == "vectors" or (condition == "half" and count > settings.most_half) or not PYTHON.exists():
        return rows
    same = _ours(settings, count, condition, settings.peer_postings)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        records = workload.postings(settings.peer_postings, settings.seed + 1)
        clauses.write(workload.searches(count, settings.seed), records, condition, home)
        for peer in PEERS:
            found = _run([str(PYTHON), str(Path(__file__).parent / "workers" / "peers.py"), peer, name])
            row = _row(peer, count, condition, found)
            rows.append({**row, "same candidates": found["digest"] == same["digest"]})
    return rows


def _ours(settings: PercolationBenchmark, count: int, condition: str, postings: int) -> dict[str, Any]:
    given = {
        "condition": condition,
        "searches": count,
        "postings": postings,
        "batch": settings.batch,
        "width": settings.width,
        "seed": settings.seed,
        "similarity": settings.similarity,
    }
    return _run([sys.executable, "-m", "benchmarks.percolation.workers.ours", json.dumps(given)])


def _run(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT_S, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} failed: {done.stderr.strip()[-500:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _row(contender: str, count: int, condition: str, found: dict[str, Any]) -> Row:
    row: Row = {
        "contender": contender,
        "searches": count,
        "condition": condition,
        "postings a second": found["postings_s"],
        "candidates each": found["candidates"],
        "build, s": found["build_s"],
        "peak MiB": found["peak_mib"],
        "same candidates": found.get("equal", ""),
        "slowest put or drop, ms": found.get("put_ms", ""),
    }
    say(f"{contender}, {count:,} searches, {condition}: {found['postings_s']:,.0f} postings/s")
    return row


def _finding(ours: Row, rows: Sequence[Row]) -> str:
    beside = [
        f"{float(str(ours['postings a second'])) / float(str(row['postings a second'])):.1f} times {row['contender']}'s"
        for row in rows
        if row["contender"] != OURS
        and (row["searches"], row["condition"]) == (ours["searches"], ours["condition"])
    ]
    return (
        f"{ours['searches']:,} searches, filters and {ours['condition']}"
        f"{'' if ours['condition'] == 'vectors' else ' words'}: {float(str(ours['postings a second'])):,.0f} postings a "
        f"second of one core{', ' + ' and '.join(beside) if beside else ''}, {float(str(ours['candidates each'])):,.1f} "
        f"candidates each, {float(str(ours['peak MiB'])):,.0f} MiB"
    )
