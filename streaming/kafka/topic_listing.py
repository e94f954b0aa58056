"""Wait until every broker of a cluster lists a set of topics, with a leader for each partition.

The controller confirms a creation before the brokers have learned of it, and a broker that has not learned of a
deletion yet still lists the deleted topic. So every broker is asked, and a new topic is recognised by its id.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, for_code
from kafka.protocol.metadata import MetadataRequest
from typing_extensions import override

from schemas.errors import BrokersUnavailable

ASK_TIMEOUT_MS = 3_000
INTERVAL_S = 0.1

#: What one broker says of one topic: Kafka's MetadataResponseTopic as a dictionary.
Listed = Mapping[str, Any]


class Wanted(NamedTuple):
    """What must be listed under a name; a topic that existed before may have any id and any number of partitions."""

    topic_id: UUID | None = None
    partitions: int = 1


class Cluster(Protocol):
    """The live brokers of a cluster, and the topics that each of them lists. Both raise KafkaError."""

    def brokers(self) -> Collection[int]:
        """The ids of the live brokers."""
        ...

    def topics(self, broker: int, names: Iterable[str]) -> Iterable[Listed]:
        """What one broker knows about these topics."""
        ...


class AdminCluster(Cluster):
    """`Cluster` through an admin client; a broker that does not answer within `ASK_TIMEOUT_MS` is a KafkaError."""

    def __init__(self, admin: KafkaAdminClient) -> None:
        # kafka-python 3.0 has no public call that asks one given broker for its metadata
        self._manager = admin._manager  # noqa: SLF001

    @override
    def brokers(self) -> Collection[int]:
        """Fetch the metadata anew at every call."""
        self._manager.run(self._manager.cluster.refresh_metadata)
        return [broker.node_id for broker in self._manager.cluster.brokers()]

    @override
    def topics(self, broker: int, names: Iterable[str]) -> Iterable[Listed]:
        """Send a metadata request to this broker, one that creates no missing topic."""
        topics = [MetadataRequest.MetadataRequestTopic(name=name) for name in names]
        request = MetadataRequest(topics=topics, allow_auto_topic_creation=False)
        found: list[Listed] = self._manager.run(self._ask, broker, request).to_dict()["topics"]
        return found

    async def _ask(self, broker: int, request: MetadataRequest) -> Any:
        return await self._manager.wait_for(self._manager.send(request, broker), ASK_TIMEOUT_MS)


def wait_until_listed(
    cluster: Cluster,
    wanted: Mapping[str, Wanted],
    timeout_s: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when every live broker lists every wanted topic; BrokersUnavailable when `timeout_s` passes before."""
    deadline_s = clock() + timeout_s
    while missing := list(_missing(cluster, wanted)):
        if clock() >= deadline_s:
            raise BrokersUnavailable(f"topics not ready after {timeout_s:g} s: {'; '.join(missing)}")
        sleep(INTERVAL_S)


def _missing(cluster: Cluster, wanted: Mapping[str, Wanted]) -> Iterator[str]:
    """One sentence for each topic that a broker does not list as wanted."""
    try:
        brokers = cluster.brokers()
    except KafkaError as error:
        yield f"the brokers cannot be listed: {type(error).__name__}: {error}"
        return
    if not brokers:
        yield "the cluster has no live broker"
    for broker in brokers:
        yield from _missing_on(cluster, broker, wanted)


def _missing_on(cluster: Cluster, broker: int, wanted: Mapping[str, Wanted]) -> Iterator[str]:
    try:
        listed = {topic["name"]: topic for topic in cluster.topics(broker, wanted)}
    except KafkaError as error:
        yield f"broker {broker} does not answer: {type(error).__name__}: {error}"
        return
    for name, topic in wanted.items():
        if reason := _reason(listed.get(name), topic):
            yield f"broker {broker}, {name}: {reason}"


def _reason(listed: Listed | None, wanted: Wanted) -> str:
    """Why a topic as a broker lists it is not ready; empty when it is."""
    if listed is None:
        return "not listed"
    if listed["error_code"]:
        return str(for_code(listed["error_code"]).__name__)
    if wanted.topic_id is not None and listed["topic_id"] != wanted.topic_id:
        return "still the deleted topic of this name"
    expected = max(1, wanted.partitions, len(listed["partitions"]))
    led = sum(1 for p in listed["partitions"] if not p["error_code"] and p["leader_id"] >= 0)
    return "" if led == expected else f"{led} of {expected} partitions have a leader"
