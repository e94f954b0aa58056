"""Prometheus metrics of the alert consumer."""

from collections.abc import Callable, Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.alert import Fate
from pipeline.control.gate import Gate
from schemas.errors import (
    BrokersUnavailable,
    ModelUnavailable,
    RegistryUnavailable,
    StoreFull,
    StoreUnavailable,
)
from streaming.alerting.shaping import MOST
from streaming.process.metrics import counter_by, lag_gauge, latency_histogram

#: Counts of `pipeline.control.admission.ClassState`.
VERDICTS = ("admitted", "deferred", "shed")


class ConsumerMetrics:
    """The alert consumer's metrics in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = counter_by(
            "outcome",
            ("scored", "split", "cancelled", "dead_letters"),
            "nearline_alerts_requests",
            "Score requests settled by outcome: split (too long), cancelled (unsubscribed).",
            registry,
        )
        self.candidates = counter_by(
            "fate",
            Fate,
            "nearline_alerts_candidates",
            "Candidates of scored requests by fate; deferred: given up, its features did not arrive in time.",
            registry,
        )
        self.cache = Gauge(
            "nearline_alerts_cache",
            "Look-ups in the score cache by result, since the start: hits, early (answered and refreshed), stale "
            "(answered while another refreshes), shared (another process had it), waits (for another caller), rejected "
            "(known as refused), misses (computed). Beside them takeovers of a leader that did not answer, and failures.",
            ["result"],
            registry=registry,
        )
        self.alerts = Counter("nearline_alerts_sent", "Alerts committed.", registry=registry)
        self.deferrals = Counter(
            "nearline_alerts_deferrals", "Times that a request had to wait for features.", registry=registry
        )
        self.depth = Gauge(
            "nearline_alerts_depth",
            "Candidates of a request that are scored at most; 1000: all, requests are not late.",
            registry=registry,
        )
        self.depth.set(MOST)
        self.call_limit = Gauge(
            "nearline_alerts_call_limit",
            "Candidates that one call of the ranker may hold, learned from how long calls take.",
            registry=registry,
        )
        self.admissions = Gauge(
            "nearline_alerts_admissions", "Calls of the ranker by verdict.", ["verdict"], registry=registry
        )
        for name in VERDICTS:
            self.admissions.labels(name)
        self.shaping_pauses = Counter(
            "nearline_alerts_shaping_pauses",
            "Times that requests stayed in their topic because other work goes first or the rate is used up.",
            registry=registry,
        )
        self.outages = counter_by(
            "error",
            (
                error.__name__
                for error in (
                    ModelUnavailable,
                    RegistryUnavailable,
                    StoreUnavailable,
                    StoreFull,
                    BrokersUnavailable,
                )
            ),
            "nearline_alerts_outages",
            "Pauses by the error that caused them.",
            registry,
        )
        self.aborts = Counter("nearline_alerts_aborts", "Transactions aborted.", registry=registry)
        self.paused = Gauge(
            "nearline_alerts_paused", "1 while the consumer waits for an outage to end.", registry=registry
        )
        self.lag = lag_gauge("nearline_alerts", registry)
        self.commit_s = Histogram(
            "nearline_alerts_commit_seconds", "One transaction, begin to commit.", registry=registry
        )
        self.latency_s = latency_histogram(
            "nearline_alerts", "update's broker timestamp to committed alert", registry
        )

    def watch(self, gate: Gate) -> None:
        """Export what the gate of the calls knows."""
        self.call_limit.set_function(lambda: gate.limit)
        for name in VERDICTS:
            self.admissions.labels(name).set_function(partial(_verdicts, gate, name))

    def show_cache(self, counts: Callable[[], Mapping[str, int]]) -> None:
        """Let each read of the metrics ask `counts` for the score cache's results."""

        def reader(result: str) -> Callable[[], float]:
            return lambda: counts()[result]

        for result in counts():
            self.cache.labels(result).set_function(reader(result))


def _verdicts(gate: Gate, name: str) -> int:
    return sum(getattr(one, name) for one in gate.state().classes.values())
