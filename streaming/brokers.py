"""Brokers that are not there, told apart from brokers that refuse us: the client's own error is the same for both."""

import socket

from kafka.cluster import collect_hosts

from schemas.errors import BrokersUnavailable, ConfigError

CONNECT_TIMEOUT_S = 3.0


def require_reachable(bootstrap: str) -> None:
    """Raise BrokersUnavailable when none of `host:port,host:port` accepts a connection, ConfigError when it is no such list."""
    try:
        hosts = collect_hosts(bootstrap, randomize=False)
    except ValueError as error:
        raise ConfigError(f"Kafka brokers are host:port,host:port, not {bootstrap!r}") from error
    reasons = []
    for host, port, _family in hosts:
        try:
            socket.create_connection((host, port), CONNECT_TIMEOUT_S).close()
        except OSError as error:
            reasons.append(f"{host}:{port}: {error.strerror or error}")
        else:
            return
    raise BrokersUnavailable(f"no Kafka broker answers ({'; '.join(reasons)})")
