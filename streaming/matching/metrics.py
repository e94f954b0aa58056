"""Prometheus metrics of the matcher."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from streaming.process.metrics import counter_by, lag_gauge, latency_histogram


class MatcherMetrics:
    """What the matcher counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.features = counter_by(
            "outcome",
            ("matched", "unmatched", "dead_letters"),
            "nearline_matcher_features",
            "Feature messages by outcome.",
            registry,
        )
        self.searches = Gauge("nearline_matcher_searches", "Saved searches held.", registry=registry)
        self.search_changes = counter_by(
            "outcome",
            ("put", "dropped", "unchanged", "dead_letters"),
            "nearline_matcher_search_changes",
            "Messages on the searches topic by outcome.",
            registry,
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
        self.lag = lag_gauge("nearline_matcher", registry)
        self.latency_s = latency_histogram(
            "nearline_matcher", "a request's oldest update (broker timestamp) to its score request", registry
        )
