"""Create topics, require topics, and wait for brokers that start later than we do.

A broker that is not there and a broker that lets nobody in raise the same error in the client; here they are two.
"""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.cluster import collect_hosts
from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.errors import BrokersUnavailable, ConfigError
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import TABLE, Topic

CONNECT_TIMEOUT_S = 3.0
FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 15.0
STOP_CHECK_S = 0.25

log = logging.getLogger(__name__)


def require_reachable(bootstrap: str) -> None:
    """Raise BrokersUnavailable when none of `host:port,host:port` accepts a connection, ConfigError for a bad list."""
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


def create_topics(
    kafka: KafkaSettings, topics: tuple[Topic, ...] = TABLE, *, timeout_ms: int = 30_000
) -> list[str]:
    """Create what is missing and return its names; topics that exist are left as they are."""
    new = [
        NewTopic(t.name, num_partitions=t.partitions, replication_factor=-1, topic_configs=t.configs())
        for t in topics
    ]
    with _admin(kafka) as admin:
        answer = admin.create_topics(new, timeout_ms=timeout_ms, raise_errors=False)
        created = [_created(t["name"], t["error_code"], t.get("error_message")) for t in answer["topics"]]
        admin.wait_for_topics([t.name for t in topics], timeout_ms=timeout_ms)
    return [name for name in created if name]


def require_topics(kafka: KafkaSettings, names: tuple[str, ...]) -> None:
    """Raise ConfigError naming the topics that the brokers do not have, BrokersUnavailable when none answers."""
    with _admin(kafka) as admin:
        missing = sorted(set(names) - set(admin.list_topics()))
    if missing:
        raise ConfigError(
            f"no such topic on {kafka.bootstrap}: {', '.join(missing)}; "
            "`nearline up` creates the local stack's, `python -m streaming.create_topics` those of any other"
        )


@contextmanager
def _admin(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    require_reachable(kafka.bootstrap)
    try:
        admin = KafkaAdminClient(**kafka.python(), bootstrap_timeout_ms=15_000)
    except KafkaError as error:
        raise ConfigError(
            f"no Kafka broker at {kafka.bootstrap} lets us in with {kafka.security_protocol}: {error}"
        ) from error
    try:
        yield admin
    finally:
        admin.close()


def _created(name: str, code: int, message: str | None) -> str | None:
    if code == 0:
        return name
    error = for_code(code)
    if error is TopicAlreadyExistsError:
        return None
    raise ConfigError(f"topic {name} cannot be created: {message or error.__name__}")


def wait_for_topics(
    kafka: KafkaSettings,
    names: tuple[str, ...],
    stopped: Callable[[], bool] = lambda: False,
    *,
    check: Callable[[KafkaSettings, tuple[str, ...]], None] = require_topics,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until brokers answer, however late they start; true if they have these topics, false when `stopped()` first.

    Raises ConfigError as soon as brokers answer that a topic is missing, or let nobody in.
    """
    pause_s = FIRST_PAUSE_S
    while not stopped():
        try:
            check(kafka, names)
        except BrokersUnavailable as error:
            log.warning("%s; waiting for it, next attempt in %g s", error, pause_s)
            _rest(pause_s, stopped, sleep)
            pause_s = min(2 * pause_s, MAX_PAUSE_S)
        else:
            return True
    return False


def _rest(seconds: float, stopped: Callable[[], bool], sleep: Callable[[float], None]) -> None:
    """Sleep in small steps, so that a stop is not kept waiting."""
    while seconds > 0 and not stopped():
        sleep(min(STOP_CHECK_S, seconds))
        seconds -= STOP_CHECK_S
