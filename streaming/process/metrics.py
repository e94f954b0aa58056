"""The HTTP server of the Kafka processes, for Prometheus and for probes, and the metrics that every process has."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from schemas.errors import ConfigError
from streaming.process.health import LoopHealth

log = logging.getLogger(__name__)

#: Seconds, from a score out of the cache to a model server that was down for an hour.
LATENCY_BUCKETS_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)


class MetricsServer:
    """Serves `/metrics`, `/live` and `/ready` on one address while it is open; with port 0 it serves nothing.

    `/live` answers 503 with one line when the loop stands still, which only a restart ends; `/ready` also when the
    process says that it cannot do its work, such as while it waits for its brokers.
    """

    def __init__(self, registry: CollectorRegistry, health: LoopHealth, port: int, host: str) -> None:
        self._server: Any = None
        if port:
            try:
                self._server, self._thread = start_http_server(port, addr=host, registry=registry)
            except OSError as error:
                raise ConfigError(f"--metrics-port {port} on {host}: {error.strerror or error}") from error
            answers = {"/live": health.stands_still, "/ready": health.trouble}
            self._server.set_app(_with_probes(self._server.get_app(), answers))
            log.info("metrics on http://%s:%d/metrics", host, port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


def _with_probes(
    metrics: Callable[..., Any], troubles: Mapping[str, Callable[[], str]]
) -> Callable[..., Any]:
    """A WSGI application that answers probes by path, 200 unless there is trouble, and leaves the rest to `metrics`."""

    def answer(request: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        probe = troubles.get(request["PATH_INFO"])
        if probe is None:
            return metrics(request, start_response)
        trouble = probe()
        status = "503 Service Unavailable" if trouble else "200 OK"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{trouble or 'ok'}\n".encode()]

    return answer


def counter_by(
    label: str, values: Iterable[str], name: str, what: str, registry: CollectorRegistry
) -> Counter:
    """A counter with one label whose known values all begin at 0.

    Prometheus cannot see the first increase of a counter whose first sample is 1.
    """
    made = Counter(name, what, [label], registry=registry)
    for value in values:
        made.labels(value)
    return made


def lag_gauge(prefix: str, registry: CollectorRegistry) -> Gauge:
    """A gauge of the messages that were not processed yet, by partition."""
    return Gauge(
        f"{prefix}_lag", "Messages not processed yet, by partition.", ["partition"], registry=registry
    )


def latency_histogram(prefix: str, what: str, registry: CollectorRegistry) -> Histogram:
    """A histogram in seconds; `what` names the beginning and the end of the measured time."""
    return Histogram(
        f"{prefix}_latency_seconds", f"From {what}.", buckets=LATENCY_BUCKETS_S, registry=registry
    )
