"""What a simulation is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from models.engine.batcher import BatchConfig
from models.server.config import ServeConfig
from pipeline.control.concurrency_limit import ConcurrencyLimit
from pipeline.control.depth import DepthSettings
from pipeline.control.policies import AdmissionSettings
from pipeline.scoring.flights import ENTRIES
from pipeline.scoring.lifetimes import ScoreLifetimes
from schemas.errors import ConfigError
from schemas.traffic import TrafficClass


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationSettings:
    """Production's parts with their own settings; a part without settings is left out. ConfigError for a bad one.

    `page`: candidates of one query that are looked up in the cache together: 1 is exact, the length of a page is
    as good where requests ask for whole pages, and faster. `refresh_s`: how long a refresh may wait. `window_s`: over
    how long the depth controllers' measures reach back. `step_s`: length of a step of the series.
    """

    cache: ScoreLifetimes | None = None
    entries: int = ENTRIES
    page: int = 1
    depths: Mapping[TrafficClass, DepthSettings] = field(default_factory=dict)
    new_limit: Callable[[], ConcurrencyLimit] | None = None
    """Makes the limit of the work in flight; without one, everything is admitted."""
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    batching: BatchConfig = field(default_factory=lambda: ServeConfig().ranker_batching)
    refresh_s: float = 30.0
    window_s: float = 5.0
    step_s: float = 1.0

    def __post_init__(self) -> None:
        for name in ("entries", "page", "refresh_s", "window_s", "step_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}: give more than 0")
