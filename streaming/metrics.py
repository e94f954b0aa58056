"""Prometheus metrics of the Kafka processes, served on loopback."""

import logging
from typing import Any, Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

log = logging.getLogger(__name__)

#: Seconds: from a cached score to a model server that was down for an hour.
LATENCY_BUCKETS_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)


class MatcherMetrics:
    """What the matcher counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.features = Counter(
            "nearline_matcher_features",
            "Feature messages by outcome: matched, unmatched, dead_letters.",
            ["outcome"],
            registry=registry,
        )
        self.searches = Gauge("nearline_matcher_searches", "Saved searches held.", registry=registry)
        self.search_changes = Counter(
            "nearline_matcher_search_changes",
            "Messages on the searches topic by outcome: put, dropped, unchanged, dead_letters.",
            ["outcome"],
            registry=registry,
        )
        self.cancelled = Counter(
            "nearline_matcher_cancelled_candidates",
            "Candidates that waited for a search when it was unsubscribed or changed.",
            registry=registry,
        )
        self.met = Counter(
            "nearline_matcher_met_postings",
            "Stored postings that were shown to new or changed searches.",
            registry=registry,
        )
        self.requests = Counter("nearline_matcher_requests", "Score requests produced.", registry=registry)
        self.candidates = Counter(
            "nearline_matcher_candidates", "Candidates within those requests.", registry=registry
        )
        self.lag = _lag("nearline_matcher", registry)
        self.latency_s = _latency(
            "nearline_matcher", "a request's oldest update (broker timestamp) to its score request", registry
        )


class ConsumerMetrics:
    """What the alert consumer counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "nearline_alerts_requests",
            "Score requests settled by outcome: scored, split (too long), cancelled (unsubscribed), dead_letters.",
            ["outcome"],
            registry=registry,
        )
        self.candidates = Counter(
            "nearline_alerts_candidates",
            "Candidates of scored requests by fate (pipeline.alert.Fate); deferred: given up, its features never came.",
            ["fate"],
            registry=registry,
        )
        self.cache = Gauge(
            "nearline_alerts_cache", "Score cache: hits, misses, failures.", ["result"], registry=registry
        )
        self.alerts = Counter("nearline_alerts_sent", "Alerts committed.", registry=registry)
        self.deferrals = Counter(
            "nearline_alerts_deferrals", "Times that a request had to wait for features.", registry=registry
        )
        self.outages = Counter(
            "nearline_alerts_outages", "Pauses by the error that caused them.", ["error"], registry=registry
        )
        self.aborts = Counter("nearline_alerts_aborts", "Transactions aborted.", registry=registry)
        self.paused = Gauge(
            "nearline_alerts_paused", "1 while an outage holds the consumer.", registry=registry
        )
        self.lag = _lag("nearline_alerts", registry)
        self.commit_s = Histogram(
            "nearline_alerts_commit_seconds", "One transaction, begin to commit.", registry=registry
        )
        self.latency_s = _latency("nearline_alerts", "update's broker timestamp to committed alert", registry)


class MetricsServer:
    """`/metrics` on one address; port 0 serves nothing."""

    def __init__(self, registry: CollectorRegistry, port: int, host: str) -> None:
        self._server: Any = None
        if port:
            self._server, self._thread = start_http_server(port, addr=host, registry=registry)
            log.info("metrics on http://%s:%d/metrics", host, port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


def _lag(prefix: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(
        f"{prefix}_lag", "Messages not processed yet, by partition.", ["partition"], registry=registry
    )


def _latency(prefix: str, what: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(
        f"{prefix}_latency_seconds", f"From {what}.", buckets=LATENCY_BUCKETS_S, registry=registry
    )
