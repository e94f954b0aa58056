"""Topics that are missing, and topics that were created anew under their old names."""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest
from kafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry

from streaming.kafka.topic_watch import TopicWatch, differs
from streaming.process.lifecycle import quiet_clients

MISSING = 3  # Kafka's UNKNOWN_TOPIC_OR_PARTITION
OLD, NEW, NONE = UUID(int=17), UUID(int=18), UUID(int=0)


class Brokers:
    def __init__(self, **ids: UUID) -> None:
        self.ids, self.away = ids, False

    def __call__(self, names: Sequence[str]) -> Collection[Mapping[str, Any]]:
        if self.away:
            raise KafkaConnectionError("away")
        zero = {"error_code": MISSING, "topic_id": NONE}
        return [
            {"name": n} | ({"error_code": 0, "topic_id": self.ids[n]} if n in self.ids else zero)
            for n in names
        ]


def watching(brokers: Brokers) -> tuple[TopicWatch, CollectorRegistry]:
    registry = CollectorRegistry()
    made = TopicWatch(("a", "b"), brokers, registry)
    made.look()
    return made, registry


def test_a_missing_topic_is_said_once_and_is_the_trouble_until_it_is_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    brokers = Brokers(a=OLD, b=OLD)
    made, registry = watching(brokers)
    assert (made.trouble(), caplog.messages) == ("", [])
    del brokers.ids["b"]
    for _ in range(10):
        made.look()
    assert len(caplog.messages) == 1
    assert "no topic b" in made.trouble()
    assert registry.get_sample_value("nearline_topics_missing") == 1
    assert made.ids() == {"a": str(OLD), "b": str(OLD)}, (
        "the deleted topic's id is what its successor's differs from"
    )
    brokers.ids["b"] = NEW
    made.look()
    assert (made.trouble(), made.id_of("b")()) == ("", str(NEW))
    assert registry.get_sample_value("nearline_topics_missing") == 0
    assert [m for m in caplog.messages if "anew" in m] == ["topic b was created anew"]


def test_while_no_broker_answers_the_last_answer_stands() -> None:
    brokers = Brokers(a=OLD)
    made, _ = watching(brokers)
    brokers.away = True
    made.look()
    assert made.ids() == {"a": str(OLD)}
    assert "no topic b" in made.trouble()


def test_brokers_without_ids_have_topics_all_the_same() -> None:
    made, _ = watching(Brokers(a=NONE, b=NONE))
    assert (made.ids(), made.trouble()) == ({}, "")
    assert not differs("", "x")


def test_the_clients_own_lines_about_a_missing_topic_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    quiet_clients()
    logging.getLogger("kafka.cluster").error("Topic %s not found in cluster metadata", "a")
    logging.getLogger("kafka.cluster").error("Topic %s is not authorized for this client", "a")
    assert caplog.messages == ["Topic a is not authorized for this client"]
