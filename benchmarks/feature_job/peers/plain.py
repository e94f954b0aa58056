"""The loop that anyone would write around a Kafka client: poll, work, produce; now and then flush and commit.

The work is the feature job's own (`FeatureWorker`: decode, read, merge, hash, encode, write, messages with headers), so
that a peer differs from the job in nothing but how batches come and go.
"""

import time
from collections.abc import Callable
from typing import Protocol

from pipeline.featurize import SourceRow
from streaming.features.messages import Row
from streaming.features.worker import FeatureWorker

#: As often as the feature job's checkpoints in the local stack.
COMMIT_S = 5.0

Batch = tuple[list[bytes | None], list[SourceRow]]


class Source(Protocol):
    """A consumer-group member on the updates."""

    def poll(self) -> Batch:
        """Keys and rows that have come, maybe none."""
        ...

    def commit(self) -> None:
        """Commit what was polled."""
        ...


class Sink(Protocol):
    """A producer that waits for all replicas."""

    def send(self, message: Row) -> None:
        """Hand one message over."""
        ...

    def flush(self) -> None:
        """Wait until the broker has all of them; raises when it refused one."""
        ...


def run(
    source: Source,
    sink: Sink,
    work: FeatureWorker,
    stopped: Callable[[], bool],
    *,
    commit_s: float = COMMIT_S,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Work until `stopped()`; offsets are committed only behind the store's writes and the broker's answers."""
    next_commit = clock() + commit_s
    while not stopped():
        # 1. whatever has come, up to a batch
        keys, rows = source.poll()
        # 2. the work, store written
        _, made = work.featurize(keys, rows)
        # 3. produce
        for message in made:
            sink.send(message)
        # 4. flush, then commit
        if clock() >= next_commit:
            sink.flush()
            source.commit()
            next_commit = clock() + commit_s
    sink.flush()
    source.commit()
