"""What a consumer instance may be told."""

import pytest

from schemas.errors import ConfigError
from streaming.alert_consumer import ConsumerSettings
from streaming.kafka_settings import KafkaSettings
from streaming.topics import DLQ


def settings(ledger_ttl_s: float) -> ConsumerSettings:
    return ConsumerSettings(
        kafka=KafkaSettings(), store_url="memory:", ranker_url="instant:", ledger_ttl_s=ledger_ttl_s
    )


@pytest.mark.parametrize("ttl_s", [0.0, -1.0, 3600.0, DLQ.retention_ms / 1000, float("nan")])
def test_a_ledger_that_forgets_before_a_topic_does_is_refused(ttl_s: float) -> None:
    with pytest.raises(ConfigError, match="alert twice"):
        settings(ttl_s)


def test_a_ledger_that_remembers_longer_than_every_topic_is_taken() -> None:
    assert settings(DLQ.retention_ms / 1000 + 1).ledger_ttl_s > DLQ.retention_ms / 1000
