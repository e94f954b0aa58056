"""`python -m benchmarks.ranker_tables`: the paper's tables 1 to 3 for a tiny ranker, from postings to the page.

Queries of both domains are judged by the rules; the ranker is measured as it is, with half of its MLP, fine-tuned, without
the block that costs least, and fine-tuned again. What is there is not made again, so that a run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.report import say
from models.writing import replacing_file

STAGES = {"mlp50": "1-mlp", "mlp50-sft": "2-mlp-sft", "mlp50-drop": "3-drop", "mlp50-drop-sft": "4-drop-sft"}
"""A row of the page, and the recipe's stage behind it."""
PYTHON = os.path.relpath(sys.executable)
"""Cards tell commands, and no card should tell where this was."""
NEARLINE = (PYTHON, "-m", "nearline")
DATA = Path("../shared/data")
POSTINGS = {"health": "postings_nhs.jsonl.gz", "technology": "postings_hn.jsonl.gz"}
TITLES = {"onet": "onet27_occupations.jsonl.gz", "esco": "esco_occupations_en.jsonl.gz"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerTables:
    """Files to read, and sizes; `queries` are a domain's."""

    ranker: Path
    postings: Mapping[str, Path]
    titles: Mapping[str, Path]
    work: Path
    page: Path
    queries: int = 400
    minutes: float = 6.0
    processes: int = 2

    @property
    def catalog(self) -> Path:
        """All postings in one file."""
        return self.work / "postings.jsonl"

    @property
    def judged(self) -> Path:
        """A folder with a table a domain."""
        return self.work / "judged"


def main() -> None:
    """Do what is not done yet."""
    run = _settings()
    run.work.mkdir(parents=True, exist_ok=True)
    if not run.catalog.is_file():
        _join(run.postings.values(), run.catalog)
    for made, command in steps(run):
        if not made.exists():
            say(shlex.join(command))
            subprocess.run(command, check=True)
    subprocess.run(
        (*NEARLINE, "report", "ranker", "--runs", str(run.work), "--out", str(run.page)), check=True
    )


def steps(run: RankerTables) -> Iterator[tuple[Path, Sequence[str]]]:
    """What each command makes, and the command, in order."""
    for domain, postings in run.postings.items():
        table = run.judged / f"{domain}.parquet"
        counts = f"test={run.queries},dev=100,train=300"
        judge = ("train", "judge", "--postings", postings, "--out", table, "--splits", counts, "--dense")
        yield table, _nearline(*judge, "--cache", "build/rules")
    measured = ("--judged", run.judged, "--postings", run.catalog)
    yield _evaluation(run, "dense", run.ranker, "no-description,bm25,minilm")
    scan = run.work / "scan.json"
    yield scan, _nearline("prune", "scan", run.ranker, *measured, "--split", "dev", "--report", scan)
    small, stages = run.work / "small", run.work / "stages"
    calibration = ("--calibration", run.catalog, "--queries", run.judged, "--keep", "0.5")
    drop = ("--drop", "least:1", *measured, "--split", "dev", "--sft", _healing(run))
    recipe = ("prune", "recipe", run.ranker, "--out", small, "--work", stages, *calibration, *drop)
    yield small, _nearline(*recipe)
    for row, stage in STAGES.items():
        yield _evaluation(run, row, stages / stage, "random")


def _evaluation(run: RankerTables, row: str, ranker: Path, baselines: str) -> tuple[Path, Sequence[str]]:
    out = run.work / f"{row}.json"
    read = ("--judged", run.judged, "--postings", run.catalog, "--cache", run.work / "minilm")
    return out, _nearline("evaluate", *read, "--ranker", ranker, "--baselines", baselines, "--report", out)


def _healing(run: RankerTables) -> str:
    """Fine-tuning on what the ranker was trained on, for a few minutes."""
    launched = (
        PYTHON,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        run.processes,
    )
    trained = (
        "-m",
        "training.tiny",
        "ranker",
        "--threads",
        1,
        "--begin",
        0.85,
        "--minutes",
        run.minutes,
    )
    files = [word for name, path in {**run.postings, **run.titles}.items() for word in (f"--{name}", path)]
    places = ("--init", "{checkpoint}", "--out", "{out}")
    return shlex.join(map(str, (*launched, *trained, *files, *places)))


def _nearline(*words: object) -> Sequence[str]:
    return (*NEARLINE, *map(str, words))


def _join(files: Iterable[Path], out: Path) -> None:
    with replacing_file(out) as partial, partial.open("wb") as whole:
        for path in files:
            with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as lines:
                shutil.copyfileobj(lines, whole)


def _settings() -> RankerTables:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranker_tables", description=__doc__)
    parser.add_argument("--ranker", type=Path, default=Path("models/checkpoints/ranker-tiny"))
    parser.add_argument("--data", type=Path, default=DATA, help="folder of postings and titles")
    parser.add_argument("--work", type=Path, default=Path("build/ranker-tables"))
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks/ranker.md"))
    parser.add_argument("--queries", type=int, default=400, help="test queries a domain")
    parser.add_argument("--minutes", type=float, default=6.0, help="of each fine-tuning")
    parser.add_argument("--processes", type=int, default=2, help="that fine-tune together, a thread each")
    given = vars(parser.parse_args())
    data = given.pop("data")
    postings = {name: data / file for name, file in POSTINGS.items()}
    return RankerTables(
        postings=postings, titles={name: data / file for name, file in TITLES.items()}, **given
    )


if __name__ == "__main__":
    main()
