"""Waiting for brokers that start later than we do, as they do in most deployments."""

import logging
import time
from collections.abc import Callable

from schemas.errors import BrokersUnavailable
from streaming.kafka_settings import KafkaSettings
from streaming.topics import require_topics

FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 15.0
STOP_CHECK_S = 0.25

log = logging.getLogger(__name__)


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
