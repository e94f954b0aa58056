"""Measure the feature job's work in one process without Kafka: its speed, and the share of each stage."""

import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import feature_worker, stages
from benchmarks.common.updates import Feed, messages
from benchmarks.feature_job.peers.plain import Batch
from pipeline.featurize import SourceRow
from streaming.kafka.topics import UPDATES


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Microseconds a record: elapsed time, processor time, and elapsed time by stage."""

    wall_us: float
    cpu_us: float
    stages_us: dict[str, float]


def breakdown(feed: Feed, sync: str, batch_size: int, store: Path) -> Breakdown:
    """Featurize the feed into a new store in the folder `store`, which is deleted afterwards."""
    shutil.rmtree(store, ignore_errors=True)
    given = batches(feed, batch_size)
    with closing(feature_worker.worker(f"lmdb://{store}?sync={sync}")) as work:
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        shares = stages.shares(lambda: [work.featurize(*batch) for batch in given])
        wall_us = 1e6 * (time.perf_counter() - began_s) / feed.updates
        cpu_us = 1e6 * (time.process_time() - began_cpu_s) / feed.updates
    shutil.rmtree(store)
    return Breakdown(
        wall_us=wall_us, cpu_us=cpu_us, stages_us={stage: share * wall_us for stage, share in shares.items()}
    )


def batches(feed: Feed, size: int) -> Sequence[Batch]:
    """The feed in batches of `size` rows, as a worker gets it."""
    pairs = list(messages(feed))
    rows = [SourceRow(value, UPDATES.name, 0, offset, 0) for offset, (_, value) in enumerate(pairs)]
    keys = [key for key, _ in pairs]
    return [(keys[i : i + size], rows[i : i + size]) for i in range(0, len(rows), size)]
