"""What the supervisor of a local stack exports: one gauge of health and one of restarts for each component."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Gauge


class StackMetrics:
    """Health and restarts by component, as the state file has them."""

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
        """Take over what `read_state` gave."""
        for state in states:
            self._healthy.labels(state["name"]).set(bool(state["healthy"]))
            self._restarts.labels(state["name"]).set(int(str(state["restarts"])))
