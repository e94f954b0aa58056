"""From which means of a window on the summarizer counts as drifted; part of the summarizer's card (nearline.json).

They are derived from postings like those of the training that were not trained on (`derive`): a window of any one of
their groups, of a trade say, stays below them but for one in a thousand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.card import CARD, read_card
from models.writing import write_whole
from pipeline.drift.measuring import Measured
from schemas.errors import ConfigError

SECTION = "drift"
WINDOW = 100
"""Postings of one window."""
FALSE_ALARMS = 0.001
"""Share of windows without a drift that a threshold lets through as one."""
DRAWS = 4_000
FEWEST = 20
"""Postings of a group below which nothing is derived from it."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The highest means of a `window` of postings without an alarm, by the names of `Means`.

    `derived`: how they were found, for readers. ConfigError for a number that cannot be one.
    """

    window: int
    kl: float
    unknown: float
    guarded: float
    derived: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = {name: getattr(self, name) for name in SIGNS}
        wrong = [f"{name} {value!r:.40}" for name, value in numbers.items() if not _is_mean(value)]
        if wrong or isinstance(self.window, bool) or not isinstance(self.window, int) or self.window < 1:
            raise ConfigError(
                f"drift thresholds need a window from 1 on and finite numbers from 0 on: window {self.window!r:.40}"
                f"{''.join(f', {one}' for one in wrong)}"
            )


SIGNS = ("kl", "unknown", "guarded")
"""What is compared with a threshold: numbers of `Means` that are bad when high."""


def read_thresholds(directory: Path) -> Thresholds | None:
    """Return the thresholds of a summarizer's card, None for a card without; ConfigError for a damaged one."""
    section = read_card(directory).get(SECTION)
    if section is None:
        return None
    names = {one.name for one in fields(Thresholds)}
    if not isinstance(section, dict) or not names - {"derived"} <= section.keys() <= names:
        raise ConfigError(
            f"{directory / CARD}: {SECTION} must be an object of {', '.join(sorted(names))}; `nearline train drift` writes it"
        )
    return Thresholds(**section)


def write_thresholds(directory: Path, thresholds: Thresholds) -> None:
    """Put thresholds into a directory's card, in the place of older ones."""
    card = read_card(directory) | {SECTION: asdict(thresholds)}
    write_whole(directory / CARD, json.dumps(card, indent=2, sort_keys=True) + "\n")


def derive(
    groups: Mapping[str, Sequence[Measured]], *, window: int = WINDOW, seed: int = 1, **derived: Any
) -> Thresholds:
    """Return the thresholds above which one window in a thousand lies, drawn from the group where that is highest.

    Both the group's postings and a window of them are drawn again with replacement, `DRAWS` times, so that few postings
    give wide thresholds. `derived` is written beside them. ConfigError for a group of fewer than FEWEST postings.
    """
    if not groups:
        raise ConfigError("drift thresholds need postings: none were measured")
    for name, found in groups.items():
        if len(found) < FEWEST:
            raise ConfigError(
                f"{name}: {len(found)} postings were measured, {FEWEST} are needed for drift thresholds"
            )
    rng = np.random.default_rng(seed)
    highest = {
        name: {sign: highest_mean(_values(found, sign), window, rng) for sign in ("kl", "unknown")}
        | {"guarded": highest_share(sum(bool(one.flags) for one in found), len(found), window, rng)}
        for name, found in groups.items()
    }
    return Thresholds(
        window=window,
        **{sign: round(max(each[sign] for each in highest.values()), 4) for sign in SIGNS},
        derived={
            "postings": {name: len(found) for name, found in groups.items()},
            "means": {name: _means(found) for name, found in groups.items()},
            "false_alarms": FALSE_ALARMS,
            **derived,
        },
    )


def highest_mean(values: Floats, window: int, rng: np.random.Generator) -> float:
    """Return the mean that one window in 1 / FALSE_ALARMS exceeds."""
    count = len(values)
    means = [rng.choice(rng.choice(values, count), window).mean() for _ in range(DRAWS)]
    return float(np.quantile(means, 1 - FALSE_ALARMS))


def highest_share(hits: int, count: int, window: int, rng: np.random.Generator) -> float:
    """Return the share of hits that one window in 1 / FALSE_ALARMS exceeds, though none of few postings was one."""
    rates = rng.beta(hits + 1, count - hits + 1, DRAWS)
    return float(np.quantile(rng.binomial(window, rates), 1 - FALSE_ALARMS)) / window


def _values(found: Sequence[Measured], sign: str) -> Floats:
    return np.array([getattr(one, sign) for one in found], dtype=np.float64)


def _means(found: Sequence[Measured]) -> dict[str, float]:
    guarded = sum(bool(one.flags) for one in found) / len(found)
    return {sign: round(float(_values(found, sign).mean()), 4) for sign in ("kl", "unknown")} | {
        "guarded": round(guarded, 4)
    }


def _is_mean(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
