"""No part of a simulation reads a clock, sleeps or starts a thread."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
BEFORE = "from tests.support.no_clock import install; close = install()\n"
SIMULATE = """
from tests.pipeline.simulation.parts import everything, run, traffic
trace = traffic(60.0, rate=60.0)
close()
tallies = run(everything(), trace, servers=2).tallies.values()
assert sum(tally.ended for tally in tallies) == len(trace) > 1000
assert all(sum(getattr(tally, name) for tally in tallies) for name in ("cached_items", "joined_items", "cut_items", "deferred"))
print("ended", flush=True)
"""
READ = """
from storage.memory import MemoryStore
from storage.scores import ScoreCache
cache = ScoreCache(MemoryStore(clock=lambda: 0.0))
close()
cache.get_many([b"x"])
"""


def run(program: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", BEFORE + program], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_simulation_of_all_parts_reads_no_clock() -> None:
    done = run(SIMULATE)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


def test_an_object_with_a_clock_of_its_own_would_be_found() -> None:
    done = run(READ)
    assert done.returncode == 1
    assert "ClockRead: time.time" in done.stderr
