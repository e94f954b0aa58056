"""The calibration of a ranker: what share of the pairs with a logit difference is relevant, in `calibration.json`.

Without it `p_yes` of equation (2) orders postings, but its value says little: a ranker is trained to soft labels. The
file holds a rising curve from the logit difference (yes minus no) to the logit of the calibrated `p_yes`, and the
default threshold (for saved searches that name none). The weights that it was fitted on are named by their hash.

The curve is applied once: by the model server, whose model then has a name with `+cal-`, or, behind a server that knows
no calibration (SGLang), by the client that is given the file. A name with `+cal-` is never calibrated again.
"""

from __future__ import annotations

import hashlib
import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from models.weights_hash import weights_sha256
from models.writing import write_whole
from schemas.errors import ConfigError

FILE = "calibration.json"
MARK = "+cal-"
"""Stands in the name of a calibrated model before the first digits of its curve's hash: caches tell models by names."""
LEAST = 1e-45
"""A probability of 0 counts as this one, the least above 0 in fp32, so that its logit is finite."""

Knot = tuple[float, float]
"""A logit difference of the model, and the calibrated one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A rising curve through `knots`, straight between them and beyond; `threshold` None: none was found.

    Two knots are a temperature and a bias. ConfigError for fewer, for a number that is not finite, and for a curve that
    does not rise, which would change the order of postings.
    """

    knots: tuple[Knot, ...]
    threshold: float | None = None
    fitted: Mapping[str, Any] = field(default_factory=dict)
    """How it was found: method, split, pairs, figures; for readers."""

    def __post_init__(self) -> None:
        if len(self.knots) < 2 or not all(math.isfinite(value) for knot in self.knots for value in knot):
            raise ConfigError(f"knots must be at least two pairs of finite numbers, not {self.knots!r:.80}")
        if not all(a < c and b < d for (a, b), (c, d) in pairwise(self.knots)):
            raise ConfigError(f"knots must rise in both numbers from each to the next: {self.knots!r:.200}")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise ConfigError(f"threshold must be null or between 0 and 1, not {self.threshold}")

    def logit(self, raw: float) -> float:
        """The logit of the calibrated `p_yes`."""
        place = bisect_right(self.knots, raw, key=lambda knot: knot[0])
        (a, b), (c, d) = self.knots[max(0, min(place, len(self.knots) - 1) - 1) :][:2]
        return b + (raw - a) * (d - b) / (c - a)

    def p_yes(self, p_yes: float, p_no: float) -> float:
        """The calibrated `p_yes` from the probabilities of the two labels."""
        return sigmoid(self.logit(math.log(max(p_yes, LEAST)) - math.log(max(p_no, LEAST))))

    def name(self, model: str) -> str:
        """The calibrated model's name, such as `ranker@3+cal-1f2e3d4c`."""
        return f"{model}{MARK}{hashlib.sha256(json.dumps(self.knots).encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedLabels:
    """A calibration and the two token ids of " yes" and " no" whose scores it changes."""

    calibration: Calibration
    label_ids: tuple[int, int]

    def scores(self, labels: Sequence[int], scores: list[float]) -> list[float]:
        """The calibrated scores of one item; those of any other labels stay as they are."""
        if tuple(labels) == self.label_ids:
            p_yes = self.calibration.p_yes(*scores)
            return [p_yes, 1 - p_yes]
        if tuple(labels) == self.label_ids[::-1]:
            return self.scores(self.label_ids, scores[::-1])[::-1]
        return scores


def sigmoid(logit: float) -> float:
    """1 / (1 + exp(-x)) without overflow, and exact also near 0."""
    power = math.exp(-abs(logit))
    return (1.0 if logit >= 0 else power) / (1 + power)


def is_calibrated(model: str) -> bool:
    """Whether the model's scores are calibrated already, as its name says."""
    return MARK in model


def read_calibration(checkpoint: Path) -> Calibration | None:
    """The calibration of a checkpoint directory, None where there is none.

    ConfigError for a file that is damaged, does not rise, or was fitted on other weights than lie beside it.
    """
    path = checkpoint / FILE
    if not path.is_file():
        return None
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        found = Calibration(
            knots=tuple((float(raw), float(to)) for raw, to in row["knots"]),
            threshold=None if row.get("threshold") is None else float(row["threshold"]),
            fitted=row.get("fitted", {}),
        )
        weights = row["weights_sha256"]
    except (ConfigError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{path} is no calibration ({error}): {_ANEW}") from error
    if weights != weights_sha256(checkpoint):
        raise ConfigError(f"{path} was fitted on other weights than lie beside it: {_ANEW}")
    return found


_ANEW = "`nearline train calibrate` writes it anew; without the file the ranker is served as it was trained"


def write_calibration(checkpoint: Path, calibration: Calibration) -> None:
    """Write a calibration into the checkpoint whose weights it was fitted on."""
    row = {
        "knots": calibration.knots,
        "threshold": calibration.threshold,
        "weights_sha256": weights_sha256(checkpoint),
        "fitted": calibration.fitted,
    }
    write_whole(checkpoint / FILE, json.dumps(row, indent=1, allow_nan=False) + "\n")
