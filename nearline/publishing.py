"""The option `--publish` of a backfill: each of its workers sends the records that it changed to Kafka."""

from collections.abc import Mapping
from functools import partial

from batch.settings import BackfillSettings
from pipeline.publish import OpenPublisher
from streaming.features.publisher import open_publisher
from streaming.kafka.admin import require_topics
from streaming.kafka.framing import RegistrySettings
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import FEATURES


def publisher_of(settings: BackfillSettings, environ: Mapping[str, str]) -> OpenPublisher | None:
    """The function with which each worker opens its publisher; None when nothing is published.

    Raises ConfigError for a missing topic or settings that no broker accepts, BrokersUnavailable when none answers.
    """
    if not settings.publish or settings.dry_run:
        return None
    kafka = KafkaSettings.from_env(environ, bootstrap=settings.publish)
    require_topics(kafka, (FEATURES.name,))
    registry = RegistrySettings.from_env(environ, url=settings.schema_registry)
    return partial(open_publisher, kafka, registry)
