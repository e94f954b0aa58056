"""`python -m benchmarks [feature-job | consumer | latency | backfill | stores | sizes | model-server | rounding | pruning]`; without a name all of them, one after the other."""

import argparse
import dataclasses
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import latency, rounding, sizes, stores
from benchmarks.alert_consumer import benchmark as consumer
from benchmarks.backfill import benchmark as backfill
from benchmarks.common.report import FOLDER, Result, say
from benchmarks.feature_job import benchmark as feature_job
from benchmarks.model_server import benchmark as model_server
from benchmarks.pruning import benchmark as pruning

BENCHMARKS: dict[str, tuple[type[Any], Callable[[Any, Path], Result]]] = {
    feature_job.NAME: (feature_job.FeatureJobBenchmark, feature_job.measure),
    consumer.NAME: (consumer.ConsumerBenchmark, consumer.measure),
    latency.NAME: (latency.LatencyBenchmark, latency.measure),
    backfill.NAME: (backfill.BackfillBenchmark, backfill.measure),
    stores.NAME: (stores.StoresBenchmark, stores.measure),
    sizes.NAME: (sizes.SizesBenchmark, sizes.measure),
    model_server.NAME: (model_server.ModelServerBenchmark, model_server.measure),
    rounding.NAME: (rounding.RoundingBenchmark, rounding.measure),
    pruning.NAME: (pruning.PruningBenchmark, pruning.measure),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmarks that were asked for; every number in a benchmark's settings is an option of its own."""
    given = _parser().parse_args(argv)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # a new topic's first answers are retries
    # so that what a benchmark started is stopped also when it is told to end
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    for name in [given.benchmark] if given.benchmark else BENCHMARKS:
        settings, measure = BENCHMARKS[name]
        asked = {
            field.name: value
            for field in dataclasses.fields(settings)
            if (value := getattr(given, field.name, None)) is not None
        }
        result = measure(settings(**asked), given.out)
        for finding in result.findings:
            say(f"{name}: {finding}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER, help="where results go (%(default)s)")
    chosen = parser.add_subparsers(dest="benchmark")
    for name, (settings, _) in BENCHMARKS.items():
        one = chosen.add_parser(
            name, description=settings.__doc__, formatter_class=argparse.RawTextHelpFormatter
        )
        one.add_argument("--out", type=Path, default=FOLDER, help="where results go (%(default)s)")
        for field in dataclasses.fields(settings):
            _add(one, field.name, field.default)
    return parser


def _add(parser: argparse.ArgumentParser, name: str, default: object) -> None:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(default, tuple):
        parser.add_argument(
            flag, type=_numbers, help=f"numbers with commas between ({','.join(map(str, default))})"
        )
    else:
        parser.add_argument(flag, type=type(default), help=f"({default})")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    main()
