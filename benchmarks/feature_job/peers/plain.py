"""The simplest loop around a Kafka client: poll, work, produce; every few seconds flush and commit.

The work is the feature job's (`FeatureWorker`: decode, read, merge, hash, encode, write, messages with headers), so
that a peer differs from the job only in how it gets batches and sends messages.
"""

import time
from collections.abc import Callable
from typing import Protocol

from pipeline.featurize import SourceRow
from streaming.features.messages import Row
from streaming.features.worker import FeatureWorker

#: Time between commits, that between the feature job's checkpoints in the local stack.
COMMIT_S = 5.0

Batch = tuple[list[bytes | None], list[SourceRow]]


class UpdateSource(Protocol):
    """A member of a consumer group on the updates."""

    def poll(self) -> Batch:
        """Keys and rows of the messages that have arrived; there may be none."""
        ...

    def commit(self) -> None:
        """Commit the offsets behind the polled messages."""
        ...


class OutcomeSink(Protocol):
    """A producer that waits for all replicas."""

    def send(self, message: Row) -> None:
        """Queue one message for sending."""
        ...

    def flush(self) -> None:
        """Wait until the broker has all messages; raises when it refused one."""
        ...


def run(
    source: UpdateSource,
    sink: OutcomeSink,
    work: FeatureWorker,
    stopped: Callable[[], bool],
    *,
    commit_s: float = COMMIT_S,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Work until `stopped()`; offsets are committed after the store's writes and the broker's acknowledgements."""
    next_commit = clock() + commit_s
    while not stopped():
        # 1. poll up to a batch
        keys, rows = source.poll()
        # 2. work, which writes the store
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
