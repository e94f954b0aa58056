"""Watch the topics of a process: which are missing, and which were deleted and created anew under the same name.

An offset means something only within one creation of its topic. Kafka gives every creation an id of its own, by which
offsets of a deleted topic are told from those of its namesake.
"""

import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, UnknownTopicOrPartitionError, for_code
from prometheus_client import CollectorRegistry, Gauge

from streaming.kafka.settings import KafkaSettings

INTERVAL_S = 2.0

#: Ids of topics by name. A topic that is missing has none, nor has one of a broker before 2.8.
TopicIds = Mapping[str, str]

log = logging.getLogger(__name__)


def differs(one: str, other: str) -> bool:
    """Whether two ids are of different creations of a topic; an id that is not known tells nothing."""
    return bool(one and other) and one != other


class TopicWatch:
    """The ids of some topics, asked for every `INTERVAL_S` on a thread of its own while it is open.

    `ask` returns what the brokers say of each topic (Kafka's MetadataResponseTopic as a dictionary), or raises
    KafkaError. While no broker answers, the last answer stands.
    """

    def __init__(
        self,
        names: Sequence[str],
        ask: Callable[[Sequence[str]], Collection[Mapping[str, Any]]],
        registry: CollectorRegistry,
    ) -> None:
        self._names, self._ask = tuple(names), ask
        self._ids: dict[str, str] = {}
        self._missing: tuple[str, ...] = ()
        self._closed = threading.Event()
        self._gauge = Gauge(
            "nearline_topics_missing",
            "Topics that this process needs and the brokers do not have.",
            registry=registry,
        )

    def ids(self) -> TopicIds:
        """The newest id of each topic; a missing topic keeps its last one."""
        return self._ids

    def id_of(self, name: str) -> Callable[[], str]:
        """A function that returns the newest id of one topic, "" while none is known."""
        return lambda: self._ids.get(name, "")

    def trouble(self) -> str:
        """One line that names the missing topics; "" while there are all."""
        if not self._missing:
            return ""
        return f"the brokers have no topic {', '.join(self._missing)}; `python -m streaming.create_topics` creates it"

    def look(self) -> None:
        """Ask once; a line in the log when a topic is missing, is there again or was created anew."""
        try:
            answers = {topic["name"]: topic for topic in self._ask(self._names)}
        except KafkaError as error:
            log.debug("the topics are not known: %s", error)
            return
        missing = tuple(name for name in self._names if _is_missing(answers.get(name, {})))
        before, self._missing = self._missing, missing
        self._gauge.set(len(missing))
        if missing and missing != before:
            log.error("%s", self.trouble())
        elif before and not missing:
            log.info("the topics %s are there again", ", ".join(before))
        found = {name: _id(answers[name]) for name in self._names if name not in missing and name in answers}
        for name, topic_id in found.items():
            if differs(self._ids.get(name, ""), topic_id):
                log.warning("topic %s was created anew", name)
        self._ids = self._ids | {name: topic_id for name, topic_id in found.items() if topic_id}

    def start(self) -> "TopicWatch":
        """Ask once, then go on asking on a thread until `close`."""
        self.look()
        threading.Thread(target=self._run, name="topics", daemon=True).start()
        return self

    def _run(self) -> None:
        while not self._closed.wait(INTERVAL_S):
            self.look()

    def close(self) -> None:
        """End the thread after the question that it asks now, if any."""
        self._closed.set()


class AskBrokers:
    """Asks through an admin client, which is opened anew after an error."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._admin: KafkaAdminClient | None = None

    def __call__(self, names: Sequence[str]) -> Collection[Mapping[str, Any]]:
        """What the brokers say of these topics. Raises KafkaError."""
        try:
            if self._admin is None:
                self._admin = KafkaAdminClient(**self._kafka.python(), bootstrap_timeout_ms=5_000)
            found: list[Mapping[str, Any]] = self._admin.describe_topics(list(names))
        except KafkaError:
            self.close()
            raise
        return found

    def close(self) -> None:
        """Close the admin client, if one is open."""
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()


def watch(kafka: KafkaSettings, names: Sequence[str], registry: CollectorRegistry) -> TopicWatch:
    """A watch over these topics, that has asked once and goes on asking."""
    return TopicWatch(names, AskBrokers(kafka), registry).start()


def _is_missing(answer: Mapping[str, Any]) -> bool:
    return for_code(answer.get("error_code", 0)) is UnknownTopicOrPartitionError


def _id(answer: Mapping[str, Any]) -> str:
    """The id as text; "" for brokers without ids, which answer with zeros."""
    text = str(answer.get("topic_id") or "")
    return text if text.strip("0-") else ""
