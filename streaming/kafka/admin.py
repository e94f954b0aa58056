"""Create topics, require topics, and wait for brokers that start later than this process.

kafka-python raises the same error for brokers that are down and for brokers that refuse the login; here these are two
errors, BrokersUnavailable and ConfigError, because only the first one ends by itself.
"""

import logging
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.cluster import collect_hosts
from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.errors import BrokersUnavailable, ConfigError
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topic_listing import AdminCluster, Wanted, wait_until_listed
from streaming.kafka.topics import TABLE, Topic

CONNECT_TIMEOUT_S = 3.0
FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 15.0
STOP_CHECK_S = 0.25

log = logging.getLogger(__name__)


def require_reachable(bootstrap: str) -> None:
    """Raise BrokersUnavailable when none of `host:port,host:port` accepts a connection, ConfigError for bad ones."""
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
    """Create the topics that are missing and return their names once every broker lists every one of `topics`.

    Topics that exist are left as they are. Raises ConfigError for a topic that the brokers refuse to create,
    BrokersUnavailable when a broker does not list one of them within `timeout_ms`.
    """
    new = [
        NewTopic(t.name, num_partitions=t.partitions, replication_factor=-1, topic_configs=t.configs())
        for t in topics
    ]
    with _admin(kafka) as admin:
        answer = admin.create_topics(new, timeout_ms=timeout_ms, raise_errors=False)["topics"]
        created = {topic["name"]: _wanted(topic) for topic in answer if _is_created(topic)}
        wanted = {topic.name: created.get(topic.name, Wanted()) for topic in topics}
        wait_until_listed(AdminCluster(admin), wanted, timeout_ms / 1000)
    return list(created)


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
            f"the Kafka brokers at {kafka.bootstrap} do not serve this client ({kafka.security_protocol}): {error}; "
            "is it Kafka, and do the NEARLINE_KAFKA_* variables for login and TLS suit it?"
        ) from error
    try:
        yield admin
    finally:
        admin.close()


def _is_created(topic: Mapping[str, Any]) -> bool:
    """Whether the brokers' answer says that the topic is new; ConfigError when they refuse to create it."""
    if not topic["error_code"]:
        return True
    error = for_code(topic["error_code"])
    if error is TopicAlreadyExistsError:
        return False
    raise ConfigError(f"topic {topic['name']} cannot be created: {topic['error_message'] or error.__name__}")


def _wanted(created: Mapping[str, Any]) -> Wanted:
    return Wanted(created["topic_id"], created["num_partitions"])


def wait_for_topics(
    kafka: KafkaSettings,
    names: tuple[str, ...],
    stopped: Callable[[], bool] = lambda: False,
    *,
    check: Callable[[KafkaSettings, tuple[str, ...]], None] = require_topics,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until brokers answer, however late they start. True when they have these topics, false once `stopped()`.

    Raises ConfigError at once when brokers answer that a topic is missing or refuse the login.
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
    """Sleep in small steps, so that `stopped()` ends the sleep early."""
    while seconds > 0 and not stopped():
        sleep(min(STOP_CHECK_S, seconds))
        seconds -= STOP_CHECK_S
