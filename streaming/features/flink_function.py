"""The one vectorized function of the feature job: an Arrow batch of updates in, one outcome each out.

Flink pickles it by reference to this module, which therefore must never be `__main__`.
"""

import gc
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import pandas as pd
from pyflink.table import FunctionContext
from pyflink.table.udf import ScalarFunction

from pipeline.featurize import OutcomeRow, SourceRow
from pipeline.outages import outlast
from schemas.records import Outcome
from streaming.features.messages import columns
from streaming.features.worker import FeatureWorker, WorkerSettings
from streaming.process.lifecycle import quiet_clients

Result = TypeVar("Result")


class FeaturizeFunction(ScalarFunction):  # type: ignore[misc]  # pyflink is untyped
    """`FeatureWorker.featurize` over columns, an outage waited out in place.

    An exception would fail the job, and Flink 2.3 may lose the TaskManager over it: an error in a bundle that a timer
    finished is reported from the side while the task goes on, the task's thread is interrupted, an Arrow channel
    closes under it, and what the operator's `close()` then throws is fatal to the whole process.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings

    def open(self, function_context: FunctionContext) -> None:
        """Open this worker's store and summarizer and register the metrics."""
        quiet_clients()
        self._worker = self._outlast(lambda: FeatureWorker(self._settings))
        group = function_context.get_metric_group().add_group("nearline")
        self._counters = {outcome: group.counter(f"outcome_{outcome}") for outcome in Outcome}
        self._calls = group.counter("summarizer_calls")
        # sums, and not a distribution: Flink's Prometheus reporter shows a distribution as 0
        self._batches, self._batch_ms = group.counter("batches"), group.counter("batch_ms")
        # what lives as long as the worker is not looked through for garbage again and again
        gc.collect()
        gc.freeze()

    def close(self) -> None:
        """Release what `open` opened."""
        self._worker.close()

    def eval(
        self, key: pd.Series, value: pd.Series, partition: pd.Series, offset: pd.Series, at: pd.Series
    ) -> pd.DataFrame:
        """One Arrow batch: the source's columns in, the sink's columns out, row by row."""
        started = time.monotonic()
        at_ms = at.dt.as_unit("ms").astype("int64")
        places = zip(value, partition.tolist(), offset.tolist(), at_ms.tolist(), strict=True)
        topic = self._settings.source_topic
        # a tombstone has no bytes at all: it decodes to nothing and becomes a dead letter
        rows = [SourceRow(v or b"", topic, p, o, t) for v, p, o, t in places]
        outcomes, made = self._outlast(lambda: self._worker.featurize(key.tolist(), rows))
        self._measure(outcomes, time.monotonic() - started)
        return pd.DataFrame(columns(made), dtype=object)

    def _outlast(self, action: Callable[[], Result]) -> Result:
        return outlast(action, max_backoff_s=self._settings.max_backoff_s)

    def _measure(self, outcomes: Sequence[OutcomeRow], took_s: float) -> None:
        for outcome, count in Counter(o.outcome for o in outcomes).items():
            self._counters[outcome].inc(count)
        self._calls.inc(sum(o.summarizer_called for o in outcomes))
        self._batches.inc()
        self._batch_ms.inc(round(took_s * 1000))
