"""`python -m benchmarks backfill`: postings a second of a backfill without a model, beside a bare `mapInArrow`."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from benchmarks.common import plots
from benchmarks.common.broker import BUILD
from benchmarks.common.figures import spread
from benchmarks.common.report import FOLDER, Result, Row, measured_on, say, write
from benchmarks.common.sampling import MIB

NAME = "backfill"
GOAL, GOAL_RATIO = 20_000, 1.5
HOME = BUILD / "bench-backfill"
SPEED_PLOT, GROWTH_PLOT = "backfill.png", "backfill-memory.png"
CONTENDERS = ("backfill", "bare")
LOOK_S = 0.25
TEXT = "Three nights a week on a surgical ward, with parking, a pension and a rota that is known eight weeks ahead. "


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillBenchmark:
    """How much of what. `sizes`: catalogs over which memory and cost a posting should stay as they are."""

    postings: int = 200_000
    repetitions: int = 3
    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    parallelism: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run. Memory in MiB: the most that the Python workers and the JVM had for themselves at one time."""

    contender: str
    sync: str
    postings: int
    seconds: float
    python_mib: float
    jvm_mib: float

    @property
    def rate(self) -> float:
        """Postings a second, the survey included, Spark's own start not."""
        return self.postings / self.seconds


def measure(settings: BackfillBenchmark, folder: Path = FOLDER) -> Result:
    """All of it, written into `folder`."""
    where = measured_on()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    catalog = write_catalog(HOME / "catalog.jsonl", settings.postings)
    runs = [
        run(contender, sync, catalog, settings.postings, settings.parallelism)
        for n in range(settings.repetitions)
        for sync in ("commit", "os")
        for contender in CONTENDERS[:: -1 if n % 2 else 1]
    ]
    grown = []
    for size in settings.sizes:
        path = write_catalog(HOME / f"catalog-{size}.jsonl", size)
        grown.append(run("backfill", "os", path, size, settings.parallelism))
        path.unlink()
    shutil.rmtree(HOME)
    bars = {
        f"sync={sync}": {name: spread([r.rate for r in of(runs, name, sync)]) for name in CONTENDERS}
        for sync in ("commit", "os")
    }
    plots.bars(folder / SPEED_PLOT, "Backfill and a bare mapInArrow, the same work", "postings/s", bars)
    sizes = [one.postings / 1000 for one in grown]
    memory = {
        "Python workers": (sizes, [one.python_mib for one in grown]),
        "JVM": (sizes, [one.jvm_mib for one in grown]),
    }
    plots.lines(folder / GROWTH_PLOT, "Most memory of a backfill", "thousand postings", "MiB", memory)
    result = Result(
        name=NAME,
        title="Backfill without a model",
        settings=asdict(settings),
        tables={"Postings a second": speeds(runs), "From small to large": growth(grown)},
        findings=findings(runs, grown),
        plots=[SPEED_PLOT, GROWTH_PLOT],
        detail={"runs": [asdict(one) for one in [*runs, *grown]]},
    )
    write(result, folder, where)
    return result


def write_catalog(path: Path, postings: int) -> Path:
    """Postings of about 1 KB from 16 boards, each with a text of its own."""
    with path.open("w") as file:
        for n in range(postings):
            row = {
                "id": f"board-{n % 16}:{n:08}",
                "title": f"Nurse {n}",
                "company": f"Trust {n % 97}",
                "location": "Leeds",
                "employment_type": "full-time",
                "posted_at": f"2024-03-{n % 28 + 1:02}T09:30:00+01:00",
                "description": f"Ward number {n}. {8 * TEXT}",
            }
            file.write(json.dumps(row) + "\n")
    return path


def run(contender: str, sync: str, catalog: Path, postings: int, parallelism: int) -> Ran:
    """One run into an empty store, watched. Raises RuntimeError when it failed or missed rows."""
    for folder in ("store", "state"):
        shutil.rmtree(HOME / folder, ignore_errors=True)
    command = [
        *(sys.executable, "-m", "benchmarks.backfill.run", contender, str(catalog)),
        *("--store", f"lmdb://{HOME}/store?sync={sync}", "--state", str(HOME / "state")),
        *("--parallelism", str(parallelism)),
    ]
    with (HOME / "run.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        python, jvm = _watch(process)
    said = process.stdout.read() if process.stdout else b""
    if process.returncode:
        raise RuntimeError(
            f"{contender} ended with {process.returncode}:\n{(HOME / 'run.log').read_text()[-2000:]}"
        )
    done = json.loads(said.splitlines()[-1])
    if done["rows"] != postings:
        raise RuntimeError(f"{contender} did {done['rows']} of {postings} postings")
    ran = Ran(
        contender=contender,
        sync=sync,
        postings=postings,
        seconds=done["seconds"],
        python_mib=python,
        jvm_mib=jvm,
    )
    say(f"sync={sync} {contender}, {postings:,} postings: {ran.rate:,.0f}/s")
    return ran


def _watch(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """The most private memory of the Python workers and of the JVM until the process ends."""
    python = jvm = 0.0
    while process.poll() is None:
        by_kind = {"python": 0.0, "java": 0.0}
        for child in psutil.Process(process.pid).children(recursive=True):
            try:
                memory = child.memory_info()
                kind = "java" if "java" in child.name() else "python"
            except psutil.Error:
                continue
            by_kind[kind] += (memory.rss - memory.shared) / MIB
        python, jvm = max(python, by_kind["python"]), max(jvm, by_kind["java"])
        time.sleep(LOOK_S)
    return python, jvm


def of(runs: Sequence[Ran], contender: str, sync: str) -> list[Ran]:
    """The runs of one contender under one durability."""
    return [one for one in runs if (one.contender, one.sync) == (contender, sync)]


def speeds(runs: Sequence[Ran]) -> list[Row]:
    """A row a contender and durability; `of_bare`: the bare loop's median over this one's."""
    rows: list[Row] = []
    for sync, contender in dict.fromkeys((one.sync, one.contender) for one in runs):
        mine = spread([one.rate for one in of(runs, contender, sync)])
        bare = spread([one.rate for one in of(runs, "bare", sync)])
        rows.append(
            {
                "sync": sync,
                "contender": contender,
                "runs": len(of(runs, contender, sync)),
                **mine,
                "bare_over_it": bare["median"] / mine["median"],
            }
        )
    return rows


def growth(runs: Sequence[Ran]) -> list[Row]:
    """A row a size."""
    return [
        {
            "postings": one.postings,
            "us_a_posting": 1e6 * one.seconds / one.postings,
            "python_mib": one.python_mib,
            "jvm_mib": one.jvm_mib,
        }
        for one in runs
    ]


def findings(runs: Sequence[Ran], grown: Sequence[Ran]) -> list[str]:
    """One sentence a goal."""
    said = [
        f"sync={row['sync']}: {row['median']:,.0f} postings/s; the bare loop is {float(str(row['bare_over_it'])):.2f} × as "
        f"fast (goal: at most {GOAL_RATIO})."
        for row in speeds(runs)
        if row["contender"] == "backfill"
    ]
    best = spread([one.rate for one in of(runs, "backfill", "os")])["median"]
    said.append(f"sync=os: {best / GOAL:.2f} × the goal of {GOAL:,} postings/s.")
    first, last = grown[0], grown[-1]
    said.append(
        f"From {first.postings:,} to {last.postings:,} postings the most memory went from {first.python_mib:.0f} to "
        f"{last.python_mib:.0f} MiB (Python workers) and from {first.jvm_mib:.0f} to {last.jvm_mib:.0f} MiB (JVM)."
    )
    return said
