"""`python -m benchmarks.backfill.run backfill|bare ...`: one run over a catalog as a process; its seconds as JSON.

`bare` is what the backfill is measured against: `mapInArrow` over Spark's own text reader with the same parsing,
merging and writing, and nothing that makes a backfill resumable, bounded or exact.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from batch.backfill import backfill
from batch.settings import BackfillSettings
from batch.spark import SparkEngine, local_session
from models.summarizer import InstantSummarizer
from nearline.stack.tools import java_home
from pipeline.featurize import Featurizer
from schemas.events import parse_line
from schemas.records import PostingUpdate
from storage.features import FeatureStore
from storage.opening import open_store


@dataclass(frozen=True, slots=True)
class Bare:
    """`mapInArrow`: lines in, the number of postings written out."""

    store_url: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """A batch of Arrow is a batch of featurize."""
        with closing(open_store(self.store_url)) as kv:
            featurizer = Featurizer(FeatureStore(kv), InstantSummarizer())
            for batch in batches:
                updates = [_update(line) for line in batch.column(0).to_pylist()]
                featurizer.featurize_decoded(updates)
                yield pa.RecordBatch.from_pydict({"rows": pa.array([len(updates)], pa.int64())})


def _update(line: str) -> PostingUpdate:
    event = parse_line(line)
    return PostingUpdate(
        posting_id=event.posting_id, version=event.instant_us, op=event.op, posting=event.posting
    )


def main() -> None:
    """Warm Spark up, run, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backfill.run", description=__doc__)
    parser.add_argument("contender", choices=("backfill", "bare"))
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--store", required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--parallelism", type=int, default=2)
    parser.add_argument("--chunk-rows", type=int, default=500)
    given = parser.parse_args()
    os.environ |= {"JAVA_HOME": str(java_home()), "PYSPARK_PYTHON": sys.executable}
    spark = local_session(given.parallelism)
    spark.range(0, 100, 1, given.parallelism).mapInArrow(lambda batches: batches, "id long").collect()
    began = time.monotonic()
    run = _backfill if given.contender == "backfill" else _bare
    rows = run(spark, given)
    sys.stdout.write(json.dumps({"rows": rows, "seconds": time.monotonic() - began}) + "\n")
    spark.stop()


def _backfill(spark: SparkSession, given: argparse.Namespace) -> int:
    settings = BackfillSettings(
        catalog=(str(given.catalog),),
        store_url=given.store,
        state=str(given.state),
        parallelism=given.parallelism,
        chunk_rows=given.chunk_rows,
    )
    report = backfill(settings, SparkEngine(lambda: spark, given.parallelism), lambda _line: None)
    return report.total.rows_in


def _bare(spark: SparkSession, given: argparse.Namespace) -> int:
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(given.chunk_rows))
    split = max(1 << 20, given.catalog.stat().st_size // (4 * given.parallelism))
    spark.conf.set("spark.sql.files.maxPartitionBytes", str(split))
    lines = spark.read.text(str(given.catalog))
    done = lines.mapInArrow(Bare(given.store).__call__, "rows long").collect()
    return sum(row["rows"] for row in done)


if __name__ == "__main__":
    main()
