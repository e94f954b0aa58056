"""`python -m benchmarks.configuration_page` prints `docs/configuration.md` (`make config-page`)."""

import sys

from benchmarks.__main__ import BENCHMARKS, Results
from benchmarks.common.settings import EngineBenchmark, PretrainedPruningBenchmark, RankerBenchmark
from nearline.configuration.page import page, product
from nearline.configuration.tables import Section, options


def sections() -> list[Section]:
    """The sections of the page."""
    own = [
        Section(3, f"`python -m benchmarks {name}`", str(settings.__doc__), options(Results, settings))
        for name, (settings, _) in BENCHMARKS.items()
    ]
    return [
        *product(),
        Section(2, "Benchmarks"),
        *own,
        Section(3, "`python -m benchmarks.engine`", "", options(EngineBenchmark)),
        Section(3, "`python -m benchmarks.pruning.pretrained`", "", options(PretrainedPruningBenchmark)),
        Section(3, "`python -m benchmarks.ranker_tables`", "", options(RankerBenchmark)),
    ]


if __name__ == "__main__":
    sys.stdout.write(page(sections()))
