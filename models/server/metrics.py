"""Prometheus metrics of a model server, in a registry of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from models.engine.batcher import BatchRun
from models.server.pauses import BOUNDS_S, PauseHistogram
from models.server.service import Hosted

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
JOBS = (1, 2, 4, 8, 16, 32, 64, 128)
TOKENS = (256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 65_536)


class ServerMetrics:
    """Requests by route and status, refusals by reason, items and tokens computed, queues, batches and pauses."""

    def __init__(self, hosted: dict[str, Hosted[Any, Any, Any]]) -> None:
        self.registry = CollectorRegistry()
        self.loop_lag, self.collections = PauseHistogram(), PauseHistogram()
        self._requests = self._counter("requests", "Requests answered", "route", "status")
        self._refusals = self._counter("refusals", "Requests not computed, by reason", "route", "reason")
        self._seconds = self._histogram(
            "request_seconds", "Time from a request's head to its answer", SECONDS, "route"
        )
        self._items = self._counter("items", "Items scored, prompts continued or texts embedded", "route")
        self._tokens = self._counter("tokens", "Prompt tokens computed, shared ones once", "route")
        self._queue_seconds = self._histogram("queue_seconds", "Time that a job waited", SECONDS, "task")
        self._batch_jobs = self._histogram("batch_jobs", "Jobs of one batch", JOBS, "task")
        self._batch_tokens = self._histogram("batch_tokens", "Tokens of one batch", TOKENS, "task")
        self._engine_seconds = self._histogram("engine_seconds", "Time of one batch", SECONDS, "task")
        self._pending = Gauge(
            "nearline_model_pending_tokens", "Tokens waiting or running", ["task"], registry=self.registry
        )
        for task, model in hosted.items():
            self._watch(task, model)
        self.registry.register(_PauseCollector(loop_lag=self.loop_lag, gc_pause=self.collections))

    def expect(self, route: str) -> None:
        """Begin a route's counter at 0: Prometheus cannot see the first increase of one whose first sample is 1."""
        for status in ("200", "500", "503"):
            self._requests(route, status)
        for reason in ("aborted", "deadline passed"):
            self._refusals(route, reason)

    def observe(self, route: str, status: int, refusal: str, took_s: float) -> None:
        """Count one answer; `refusal` is the reason of a request that was not computed, or empty."""
        self._requests(route, str(status)).inc()
        self._seconds(route).observe(took_s)
        if refusal:
            self._refusals(route, refusal).inc()

    def count_ended(self, route: str, reason: str) -> None:
        """Count a request that was answered in part: aborted, or failed after its stream had begun."""
        self._refusals(route, reason).inc()

    def count_work(self, route: str, items: int, tokens: int) -> None:
        """Count the items and tokens that were computed for one request."""
        self._items(route).inc(items)
        self._tokens(route).inc(tokens)

    def _watch(self, task: str, model: Hosted[Any, Any, Any]) -> None:
        self._pending.labels(task).set_function(model.pending_tokens)
        waited, jobs, tokens, took = (
            family(task)
            for family in (self._queue_seconds, self._batch_jobs, self._batch_tokens, self._engine_seconds)
        )

        def count(run: BatchRun) -> None:
            for waited_s in run.waited_s:
                waited.observe(waited_s)
            jobs.observe(len(run.waited_s))
            tokens.observe(run.tokens)
            took.observe(run.took_s)

        model.batcher.on_batch = count

    def _counter(self, name: str, what: str, *labels: str) -> Callable[..., Counter]:
        """Register a counter; return what gives that of some labels, kept as the library takes long to find it."""
        return cache(Counter(f"nearline_model_{name}", what, labels, registry=self.registry).labels)

    def _histogram(
        self, name: str, what: str, buckets: Sequence[float], label: str
    ) -> Callable[..., Histogram]:
        """Register a histogram; return what gives that of a label."""
        made = Histogram(f"nearline_model_{name}", what, [label], buckets=buckets, registry=self.registry)
        return cache(made.labels)


class _PauseCollector(Collector):
    """Exports each PauseHistogram under its name, with the longest pause since the start."""

    def __init__(self, **pauses: PauseHistogram) -> None:
        self._pauses = pauses

    @override
    def collect(self) -> Iterator[Metric]:
        """Make a histogram and a gauge of each PauseHistogram anew at every scrape; nothing is reset."""
        for name, pauses in self._pauses.items():
            what = name.replace("_", " ")
            bounds = [*map(str, BOUNDS_S), "+Inf"]
            buckets = list(zip(bounds, accumulate(pauses.counts), strict=True))
            yield HistogramMetricFamily(
                f"nearline_model_{name}_seconds", f"Every {what}", buckets, pauses.total_s
            )
            yield GaugeMetricFamily(
                f"nearline_model_{name}_longest_seconds", f"The longest {what} so far", pauses.longest_s
            )
