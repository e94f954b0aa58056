"""Metrics of a local stack's supervisor: a gauge of health and a gauge of restarts for each component."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge


class StackMetrics:
    """Gauges of health and restarts by component."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._healthy = Gauge(
            "nearline_component_healthy", "1 when the component answers", ["component"], registry=registry
        )
        self._restarts = Gauge(
            "nearline_component_restarts",
            "Restarts since the stack came up",
            ["component"],
            registry=registry,
        )

    def show(self, states: Iterable[Mapping[str, object]]) -> None:
        """Set the gauges to the components' state, as `read_state` returns it."""
        for state in states:
            self._healthy.labels(state["name"]).set(bool(state["healthy"]))
            self._restarts.labels(state["name"]).set(int(str(state["restarts"])))
