"""Repeat a call until an outage is over, instead of failing (ADR 7)."""

import logging
import math
import random
import time
from collections.abc import Callable
from typing import TypeVar

from schemas.backoff import Backoff
from schemas.errors import (
    BrokersUnavailable,
    ModelUnavailable,
    RegistryUnavailable,
    StoreFull,
    StoreUnavailable,
)

log = logging.getLogger(__name__)

Result = TypeVar("Result")

#: Errors that end by themselves, or once somebody has made room on the disk. Waiting cures no other error.
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
    """Call `action` until no outage stops it, pausing 1 s, then 2 s, ... up to `max_backoff_s` between attempts.

    `action` must be safe to repeat. Each failed attempt is logged; any error but an outage is raised, and so is the
    outage once the pauses add up to `patience_s`.
    """
    backoff = Backoff(first_s=FIRST_BACKOFF_S, longest_s=max_backoff_s)
    failures, paused_s = 0, 0.0
    while True:
        try:
            return action()
        except OUTAGES as error:
            if paused_s >= patience_s:
                raise
            failures += 1
            pause_s = backoff.wait_s(failures) * spread()
            log.warning("%s: %s; again in %.1f s", type(error).__name__, error, pause_s)
        sleep(pause_s)
        paused_s += pause_s
