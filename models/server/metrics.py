"""What a model server counts, in a registry of its own."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from models.server.service import Hosted

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class ServerMetrics:
    """Requests by route and status, their time, the items and tokens answered, and the queues."""

    def __init__(self, hosted: dict[str, Hosted[Any, Any]]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "nearline_model_requests", "Requests answered", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "nearline_model_request_seconds",
            "Time from a request's first byte to its answer",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.items = Counter(
            "nearline_model_items", "Items scored or prompts continued", ["route"], registry=self.registry
        )
        self.tokens = Counter(
            "nearline_model_tokens",
            "Prompt tokens computed, shared ones once",
            ["route"],
            registry=self.registry,
        )
        pending = Gauge(
            "nearline_model_pending_tokens", "Tokens waiting or running", ["task"], registry=self.registry
        )
        for task, model in hosted.items():
            pending.labels(task).set_function(model.pending_tokens)

    def observe(self, route: str, status: int, took_s: float) -> None:
        """Count one answer."""
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(took_s)

    def count_work(self, route: str, items: int, tokens: int) -> None:
        """Count what one request had computed."""
        self.items.labels(route).inc(items)
        self.tokens.labels(route).inc(tokens)
