"""Prometheus metrics of the matcher."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from streaming.process.metrics import counter_by, lag_gauge, latency_histogram


class MatcherMetrics:
    """The matcher's metrics in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.features = counter_by(
            "outcome",
            ("matched", "unmatched", "dead_letters"),
            "nearline_matcher_features",
            "Feature messages by outcome.",
            registry,
        )
        self.searches = Gauge("nearline_matcher_searches", "Saved searches subscribed.", registry=registry)
        self.search_changes = counter_by(
            "outcome",
            ("put", "dropped", "unchanged", "dead_letters"),
            "nearline_matcher_search_changes",
            "Messages on the searches topic by outcome.",
            registry,
        )
        self.cancelled = Counter(
            "nearline_matcher_cancelled_candidates",
            "Candidates dropped from open windows because their search was unsubscribed or changed.",
            registry=registry,
        )
        self.stored_postings = Counter(
            "nearline_matcher_met_postings",
            "Stored postings that were matched with new or changed searches.",
            registry=registry,
        )
        self.requests = Counter("nearline_matcher_requests", "Score requests produced.", registry=registry)
        self.candidates = Counter(
            "nearline_matcher_candidates", "Candidates in the score requests produced.", registry=registry
        )
        self.pairs = counter_by(
            "by",
            ("vectors", "words"),
            "nearline_matcher_pairs",
            "Pairs of a changed posting and a search that it is a candidate for, by what was compared.",
            registry,
        )
        self.without_vector = Gauge(
            "nearline_matcher_searches_without_vector",
            "Searches that wait for their vectors and are matched by their words meanwhile.",
            registry=registry,
        )
        self.embedder_failures = Counter(
            "nearline_matcher_embedder_failures",
            "Calls of the embedder that failed; searches are matched by their words meanwhile.",
            registry=registry,
        )
        self.lag = lag_gauge("nearline_matcher", registry)
        self.latency_s = latency_histogram(
            "nearline_matcher", "a request's oldest update (broker timestamp) to its score request", registry
        )
