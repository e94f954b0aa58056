"""`python -m benchmarks NAME` runs one benchmark; without a name, all that need nothing but the extra `bench`.

`summaries` reads postings that are not in the repository (docs/data.md), and is run by its name alone. Three have
commands of their own: `python -m benchmarks.engine`, whose peers need environments of their own, and, because they
read such postings, `python -m benchmarks.ranker_tables` and `python -m benchmarks.pruning.pretrained`.
"""

import argparse
import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from benchmarks.common import settings
from benchmarks.common.report import FOLDER, Result, say
from schemas import arguments
from schemas.settings import Option, build

BENCHMARKS: dict[str, tuple[type[Any], str]] = {
    "feature-job": (settings.FeatureJobBenchmark, "benchmarks.feature_job.benchmark"),
    "consumer": (settings.ConsumerBenchmark, "benchmarks.alert_consumer.benchmark"),
    "score-cache": (settings.ScoreCacheBenchmark, "benchmarks.score_cache.benchmark"),
    "latency": (settings.LatencyBenchmark, "benchmarks.latency"),
    "backfill": (settings.BackfillBenchmark, "benchmarks.backfill.benchmark"),
    "stores": (settings.StoresBenchmark, "benchmarks.stores"),
    "sizes": (settings.SizesBenchmark, "benchmarks.sizes"),
    "model-server": (settings.ModelServerBenchmark, "benchmarks.model_server.benchmark"),
    "simulator": (settings.SimulatorBenchmark, "benchmarks.simulator.benchmark"),
    "planner": (settings.PlannerBenchmark, "benchmarks.planner.benchmark"),
    "overload": (settings.OverloadBenchmark, "benchmarks.overload.benchmark"),
    "rounding": (settings.RoundingBenchmark, "benchmarks.rounding"),
    "summaries": (settings.SummariesBenchmark, "benchmarks.summaries"),
    "search": (settings.SearchBenchmark, "benchmarks.search.benchmark"),
    "scheduling": (settings.SchedulingBenchmark, "benchmarks.scheduling.benchmark"),
    "pruning": (settings.PruningBenchmark, "benchmarks.pruning.benchmark"),
}
"""Settings, and the module whose `measure(settings, folder)` runs the benchmark and returns its result."""

BY_NAME = "summaries"
"""Not run among all: it reads postings that the repository does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Where results go."""

    out: Annotated[Path, Option("Folder of the pages, figures and plots.")] = FOLDER


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark that was asked for, or all of them."""
    given = vars(_parser().parse_args(argv)) | {"out": out_folder(argv)}
    logging.getLogger("stamina").setLevel(logging.ERROR)  # a new topic's first answers are retries
    # so that what a benchmark started is stopped also when it is told to end
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    for name in (
        [given["benchmark"]] if given["benchmark"] else [name for name in BENCHMARKS if name != BY_NAME]
    ):
        for finding in _measured(name, given).findings:
            say(f"{name}: {finding}")


def out_folder(argv: Sequence[str] | None) -> Path:
    """Where results go: `--out`, before a benchmark's name or behind it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    arguments.add(parser, Results)
    out: Path = parser.parse_known_args(argv)[0].out
    return out


def _measured(name: str, given: dict[str, Any]) -> Result:
    kind, module = BENCHMARKS[name]
    result: Result = importlib.import_module(module).measure(build(kind, given), given["out"])
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add(parser, Results)
    chosen = parser.add_subparsers(dest="benchmark")
    for name, (kind, _) in BENCHMARKS.items():
        one = chosen.add_parser(name, description=kind.__doc__)
        arguments.add(one, kind, os.environ)
        arguments.add(one, Results)
    return parser


if __name__ == "__main__":
    main()
