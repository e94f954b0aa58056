"""Prometheus metrics of the alert consumer."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.alert import Fate
from schemas.errors import (
    BrokersUnavailable,
    ModelUnavailable,
    RegistryUnavailable,
    StoreFull,
    StoreUnavailable,
)
from streaming.process.metrics import counter_by, lag_gauge, latency_histogram


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
            "nearline_alerts_cache", "Score cache: hits, misses, failures.", ["result"], registry=registry
        )
        self.alerts = Counter("nearline_alerts_sent", "Alerts committed.", registry=registry)
        self.deferrals = Counter(
            "nearline_alerts_deferrals", "Times that a request had to wait for features.", registry=registry
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
