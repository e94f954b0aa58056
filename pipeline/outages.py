"""Waiting an outage out where it is met, instead of failing (ADR 7)."""

import logging
import math
import random
import time
from collections.abc import Callable
from typing import TypeVar

from schemas.errors import (
    BrokersUnavailable,
    ModelUnavailable,
    RegistryUnavailable,
    StoreFull,
    StoreUnavailable,
)

log = logging.getLogger(__name__)

Result = TypeVar("Result")

#: Errors that pass by themselves, or once somebody has made room; everything else is ours to fix.
OUTAGES = (BrokersUnavailable, ModelUnavailable, RegistryUnavailable, StoreFull, StoreUnavailable)
FIRST_BACKOFF_S = 1.0


def outlast(
    action: Callable[[], Result],
    *,
    max_backoff_s: float,
    patience_s: float = math.inf,
    sleep: Callable[[float], object] = time.sleep,
    spread: Callable[[], float] = lambda: random.uniform(0.8, 1.0),
) -> Result:
    """Repeat `action` until no outage stops it, pausing in between; give up after pauses of `patience_s` in a row.

    Pauses double from 1 s to `max_backoff_s`. `action` must be safe to repeat. Each failed attempt is logged; any error
    but an outage is raised, and so is the outage when patience ends.
    """
    backoff_s, paused_s = FIRST_BACKOFF_S, 0.0
    while True:
        try:
            return action()
        except OUTAGES as error:
            if paused_s >= patience_s:
                raise
            pause_s = min(max_backoff_s, backoff_s) * spread()
            log.warning("%s: %s; again in %.1f s", type(error).__name__, error, pause_s)
        sleep(pause_s)
        paused_s += pause_s
        backoff_s = 2 * min(max_backoff_s, backoff_s)
