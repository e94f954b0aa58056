"""The vectorized function of the feature job: takes an Arrow batch of updates, returns one message for each.

Flink pickles the function as a reference to this module, which therefore must never run as `__main__`.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import pandas as pd
from pyflink.table import FunctionContext
from pyflink.table.udf import ScalarFunction

from models.client.limiter import Load
from pipeline.control.rounds import in_rounds
from pipeline.embedding import VECTOR_COUNTS, VectorCounts
from pipeline.featurize import OutcomeRow, SourceRow
from pipeline.outages import outlast
from schemas.collecting import SeldomCollector
from schemas.records import Outcome
from streaming.features.drift import DriftMetrics
from streaming.features.messages import Row, columns
from streaming.features.worker import FeatureWorker, Ready, WorkerSettings
from streaming.process.lifecycle import quiet_clients

Result = TypeVar("Result")


class FeaturizeFunction(ScalarFunction):  # type: ignore[misc]  # pyflink is untyped
    """Calls `FeatureWorker.featurize` with columns; waits within the call while an outage lasts, instead of raising.

    An exception would fail the job and may end the whole TaskManager of Flink 2.3 (ADR 7). The error of a bundle
    that a timer finished is reported while the task goes on; the task's thread is then interrupted, which closes an
    Arrow channel, so that the operator's `close()` fails, and an error in this cleanup ends the process.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings

    def open(self, function_context: FunctionContext) -> None:
        """Open this worker's store and summarizer, and register the metrics."""
        quiet_clients()
        self._worker = self._outlast(lambda: FeatureWorker(self._settings))
        group = function_context.get_metric_group().add_group("nearline")
        self._counters = {outcome: group.counter(f"outcome_{outcome}") for outcome in Outcome}
        self._calls = group.counter("summarizer_calls")
        self._decreases = group.counter("summarizer_limit_decreases")
        self._not_sent = group.counter("summarizer_texts_not_sent")
        self._load = Load()
        group.gauge("summarizer_limit", lambda: self._worker.load().limit)
        self._vectors = VectorCounts()
        self._vector_counters = {name: group.counter(f"vectors_{name}") for name in VECTOR_COUNTS}
        self._drift = DriftMetrics(group, self._worker.drift) if self._worker.drift else None
        # Two sums instead of a distribution, which Flink's Prometheus reporter always shows as 0.
        self._batches, self._batch_ms = group.counter("batches"), group.counter("batch_ms")
        self._collector = SeldomCollector()

    def close(self) -> None:
        """Close what `open` opened: the drift monitor, the store and the registry."""
        self._worker.close()

    def eval(
        self, key: pd.Series, value: pd.Series, partition: pd.Series, offset: pd.Series, at: pd.Series
    ) -> pd.DataFrame:
        """Featurize one Arrow batch: takes columns of the source table, returns those of the sink, row by row."""
        self._collector.between_batches()
        started = time.monotonic()
        at_ms = at.dt.as_unit("ms").astype("int64")
        places = zip(value, partition.tolist(), offset.tolist(), at_ms.tolist(), strict=True)
        topic = self._settings.source_topic
        # A message without a value (a tombstone) is no update: its empty bytes become a dead letter.
        rows = [SourceRow(v or b"", topic, p, o, t) for v, p, o, t in places]
        outcomes, made = self._featurize(key.tolist(), rows)
        self._measure(outcomes, time.monotonic() - started)
        return pd.DataFrame(columns(made), dtype=object)

    def _featurize(
        self, keys: list[bytes | None], rows: list[SourceRow]
    ) -> tuple[list[OutcomeRow], list[Row]]:
        """Featurize in rounds: one, unless the model is too slow for it."""

        def work(left: Sequence[int]) -> Ready:
            return self._worker.featurize_ready([keys[i] for i in left], [rows[i] for i in left])

        done = in_rounds(len(rows), work, self._outlast)
        return [outcome for outcome, _ in done], [message for _, message in done]

    def _outlast(self, action: Callable[[], Result]) -> Result:
        return outlast(action, max_backoff_s=self._settings.max_backoff_s)

    def _measure(self, outcomes: Sequence[OutcomeRow], took_s: float) -> None:
        for outcome, count in Counter(o.outcome for o in outcomes).items():
            self._counters[outcome].inc(count)
        self._calls.inc(sum(o.summarizer_called for o in outcomes))
        before, self._load = self._load, self._worker.load()
        self._decreases.inc(self._load.decreases - before.decreases)
        self._not_sent.inc(self._load.not_sent - before.not_sent)
        vectors_before, self._vectors = self._vectors, self._worker.vector_counts()
        for name, counter in self._vector_counters.items():
            counter.inc(getattr(self._vectors, name) - getattr(vectors_before, name))
        if self._drift is not None:
            self._drift.update()
        self._batches.inc()
        self._batch_ms.inc(round(took_s * 1000))
