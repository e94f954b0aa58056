"""Prometheus metrics of the search service."""

from collections.abc import Callable, Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from pipeline.search.index import SearchIndex
from pipeline.search.results import Results
from streaming.process.metrics import counter_by

#: Seconds: a page out of the cache takes some hundredths, and the aim for the rest is half a second.
BUCKETS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 2, 5)
#: Parts whose absence an answer tells of.
PARTS = ("embedder", "ranker")


class SearchMetrics:
    """The search service's metrics in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = counter_by(
            "outcome",
            ("answered", "refused", "unavailable", "failed"),
            "nearline_search_requests",
            "Searches by outcome: refused (the request cannot be answered), unavailable (store away, loading or busy).",
            registry,
        )
        self.missing = counter_by(
            "part",
            PARTS,
            "nearline_search_missing",
            "Answers made without a part, or without some of its results.",
            registry,
        )
        self.features = counter_by(
            "outcome",
            ("put", "dropped", "unreadable"),
            "nearline_search_features",
            "Feature messages taken into the index: put (can be found), dropped (not open, or without a summary).",
            registry,
        )
        self.promoted = Counter(
            "nearline_search_promoted",
            "Postings shown at a place that a campaign pays for.",
            registry=registry,
        )
        self.latency_s = Histogram(
            "nearline_search_latency_seconds",
            "From a search's arrival to its answer.",
            buckets=BUCKETS_S,
            registry=registry,
        )
        self.freshness_s = Histogram(
            "nearline_search_freshness_seconds",
            "From a feature message's broker timestamp until its posting can be found.",
            buckets=BUCKETS_S,
            registry=registry,
        )
        self.depth = Gauge(
            "nearline_search_depth", "Postings of a search that are scored at most.", registry=registry
        )
        self.postings = Gauge("nearline_search_postings", "Postings that can be found.", registry=registry)
        self.vectors = Gauge(
            "nearline_search_vectors", "Postings with a vector, by its model.", ["model"], registry=registry
        )
        self.cache = Gauge(
            "nearline_search_cache",
            "Look-ups in the score cache by result, since the start, as nearline_alerts_cache.",
            ["result"],
            registry=registry,
        )

    def show(self, index: SearchIndex) -> None:
        """Set the gauges of the index."""
        self.postings.set(len(index))
        for model, held in index.vectors().items():
            self.vectors.labels(model).set(held)

    def show_cache(self, counts: Callable[[], Mapping[str, int]]) -> None:
        """Let each read of the metrics ask `counts` for the score cache's results."""
        for result in counts():
            self.cache.labels(result).set_function(partial(_count, counts, result))

    def answered(self, results: Results) -> None:
        """Count one answer."""
        self.requests.labels("answered").inc()
        for part in PARTS:
            if any(one.startswith(f"{part}:") for one in results.missing):
                self.missing.labels(part).inc()
        self.promoted.inc(sum(one.promotion is not None for one in results.results))


def _count(counts: Callable[[], Mapping[str, int]], result: str) -> int:
    return counts()[result]
