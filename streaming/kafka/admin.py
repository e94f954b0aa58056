"""Create topics, require topics, and wait for brokers that start later than this process.

kafka-python raises the same error for brokers that are down and for brokers that refuse the login; here these are two
errors, BrokersUnavailable and ConfigError, because only the first one ends by itself.
"""

import contextlib
import logging
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.cluster import collect_hosts
from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.backoff import Backoff
from schemas.errors import BrokersUnavailable, ConfigError
from streaming.kafka.clients import MAX_REQUEST_BYTES
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topic_listing import AdminCluster, Wanted, wait_until_listed
from streaming.kafka.topics import TABLE, Topic
from streaming.kafka.waiting import within

CONNECT_TIMEOUT_S = 3.0
#: Kafka's request ApiVersions, version 0, correlation id 1, no client id: every broker answers it before a login.
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)
PAUSES = Backoff(first_s=0.5, longest_s=15.0)
STOP_CHECK_S = 0.25
CHECK_S = 60.0

log = logging.getLogger(__name__)


def require_reachable(bootstrap: str) -> None:
    """Raise BrokersUnavailable when no broker of `host:port,host:port` accepts a connection.

    Raises ConfigError for a text that is not such a list.
    """
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


def require_answer(bootstrap: str, timeout_s: float = CONNECT_TIMEOUT_S) -> None:
    """Raise BrokersUnavailable when every broker of `bootstrap` takes a request and then says nothing.

    A broker that works answers this request or, when it wants TLS, ends the connection. One that is stopped, or whose
    disk hangs, does neither, although the system accepts connections for it.
    """
    for host, port, _family in collect_hosts(bootstrap, randomize=False):
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout_s) as broker:
            broker.settimeout(timeout_s)
            broker.sendall(API_VERSIONS)
            try:
                broker.recv(1)
            except TimeoutError:
                continue
            except OSError:
                return
            return
    raise BrokersUnavailable(f"the Kafka brokers at {bootstrap} accept connections and do not answer")


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


def largest_message(kafka: KafkaSettings, topic: Topic) -> int:
    """The bytes of the largest message that the brokers take on `topic` from our clients.

    It is the table's limit when they do not say, such as to a user without the right to ask.
    """
    asked = ConfigResource(ConfigResourceType.TOPIC, topic.name, ["max.message.bytes"])
    with _admin(kafka) as admin:
        try:
            found = admin.describe_configs([asked], config_filter="all")
            limit = int(found["topic"][topic.name]["max.message.bytes"]["value"])
        except (KafkaError, KeyError, TypeError, ValueError) as error:
            log.debug("the limit of %s is not known: %s", topic.name, error)
            limit = topic.max_bytes
    return min(limit, MAX_REQUEST_BYTES)


@contextmanager
def _admin(kafka: KafkaSettings) -> Iterator[KafkaAdminClient]:
    require_reachable(kafka.bootstrap)
    try:
        admin = KafkaAdminClient(**kafka.python(), bootstrap_timeout_ms=15_000)
    except KafkaError as error:
        require_answer(kafka.bootstrap)
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
    waits: Callable[[str], None] = lambda _: None,
) -> bool:
    """Wait until brokers answer, however late they start. True when they have these topics, false once `stopped()`.

    `waits` is called with the reason before each pause. Raises ConfigError at once when brokers answer that a topic is
    missing or refuse the login.
    """
    failures = 0
    while not stopped():
        try:
            within(CHECK_S, "the search for topics", lambda: check(kafka, names), stopped)
        except BrokersUnavailable as error:
            failures += 1
            pause_s = PAUSES.wait_s(failures)
            log.warning("%s; waiting for it, next attempt in %g s", error, pause_s)
            waits(str(error))
            _rest(pause_s, stopped, sleep)
        else:
            return True
    return False


def _rest(seconds: float, stopped: Callable[[], bool], sleep: Callable[[float], None]) -> None:
    """Sleep in small steps, so that `stopped()` ends the sleep early."""
    while seconds > 0 and not stopped():
        sleep(min(STOP_CHECK_S, seconds))
        seconds -= STOP_CHECK_S
