"""The drift monitor of a worker of the feature job, and what Flink shows of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from models.client.remote import open_ranker
from models.prompts import load_tokenizer
from models.unknown import UnknownTokens
from pipeline.drift.measuring import Measurer
from pipeline.drift.monitor import COUNTS, DriftMonitor, DriftState
from pipeline.drift.thresholds import SIGNS, Thresholds, read_thresholds
from schemas.codec import Codec

if TYPE_CHECKING:
    from streaming.features.worker import WorkerSettings

MILLION = 1_000_000
"""Flink's gauges of a Python function are whole numbers, so that means are shown in millionths."""


class MetricGroup(Protocol):
    """What is used of Flink's metric group."""

    def counter(self, name: str) -> Any:
        """Register a counter, which has `inc`."""
        ...

    def gauge(self, name: str, obj: Any) -> Any:
        """Register a function that gives a whole number."""
        ...


def open_drift(settings: WorkerSettings, codec: Codec) -> DriftMonitor | None:
    """Open the monitor that the settings ask for; ConfigError for a tokenizer or thresholds that cannot be read.

    The thresholds are those of the summarizer's card; without them there is no alarm.
    """
    if not settings.drift_ranker_url:
        return None
    tokenizer = Path(settings.drift_tokenizer_dir)
    ranker = open_ranker(settings.drift_ranker_url, tokenizer)
    measurer = Measurer(ranker, UnknownTokens(load_tokenizer(tokenizer)))
    thresholds = read_thresholds(Path(settings.tokenizer_dir)) if settings.tokenizer_dir else None
    return DriftMonitor(measurer, thresholds, settings.drift_share, codec)


class DriftMetrics:
    """The monitor's state as counters and gauges of a metric group; to be used on the function's own thread."""

    def __init__(self, group: MetricGroup, monitor: DriftMonitor) -> None:
        """Register everything: the thresholds once, the rest by `update`."""
        self._monitor, self._state = monitor, DriftState()
        self._counters = {name: group.counter(f"drift_{name}") for name in COUNTS}
        group.gauge("drift_alarm", lambda: int(bool(self._state.exceeded)))
        group.gauge("drift_window", lambda: self._state.means.count)
        for sign in SIGNS:
            group.gauge(f"drift_{sign}_millionths", lambda sign=sign: self._mean(sign))
            group.gauge(
                f"drift_{sign}_threshold_millionths",
                lambda sign=sign: _millionths(monitor.thresholds, sign),
            )

    def update(self) -> None:
        """Take the monitor's present state: Flink's counters may be changed by the function's thread alone."""
        before, self._state = self._state, self._monitor.state()
        for name, counter in self._counters.items():
            counter.inc(self._state.counts[name] - before.counts[name])

    def _mean(self, sign: str) -> int:
        return round(MILLION * float(getattr(self._state.means, sign)))


def _millionths(thresholds: Thresholds | None, sign: str) -> int:
    """A threshold in millionths, 0 where there is none."""
    return round(MILLION * float(getattr(thresholds, sign))) if thresholds else 0
