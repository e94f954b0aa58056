"""What one ranker makes of texts that are shortened in one way to one length, by query, as it is kept in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.errors import ConfigError
from training.components.arrays import Floats

RAW = "raw"
"""The name of the text as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Tokens taken away at the median and the 99th percentile of the lengths, and the share that is kept in all."""

    saved_p50: float
    saved_p99: float
    kept: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """Figures of one way to shorten texts.

    `share`: what was asked for (1 of the text as it is); `ndcg_Q`: nan for a query whose grades are all 0; `kl_Q`: mean
    KL of the ranker's answers to those on raw text.
    """

    ranker: str
    name: str
    share: float
    ndcg_Q: Floats
    kl_Q: Floats
    lengths: Lengths

    def as_json(self) -> dict[str, Any]:
        """The figures as they stand in a file; nan becomes null."""
        return {
            "ranker": self.ranker,
            "name": self.name,
            "share": self.share,
            "saved_p50": self.lengths.saved_p50,
            "saved_p99": self.lengths.saved_p99,
            "kept": self.lengths.kept,
            "ndcg": _plain(self.ndcg_Q),
            "kl": _plain(self.kl_Q),
        }


def measured_from(row: Mapping[str, Any], where: str) -> Measured:
    """The figures of such an object; ConfigError names `where` it stands."""
    try:
        return Measured(
            ranker=str(row["ranker"]),
            name=str(row["name"]),
            share=float(row["share"]),
            ndcg_Q=values(row["ndcg"]),
            kl_Q=values(row["kl"]),
            lengths=Lengths(
                **{name: float(row[name]) for name in ("saved_p50", "saved_p99", "kept")},
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{where} does not hold the figures of summaries: {error!r}") from error


def lengths_of(tokens_N: Floats, raw_N: Floats) -> Lengths:
    """The lengths of short texts beside those of the raw ones, in the same order."""
    p50, p99 = (
        1 - float(np.percentile(tokens_N, q)) / max(1.0, float(np.percentile(raw_N, q))) for q in (50, 99)
    )
    return Lengths(saved_p50=p50, saved_p99=p99, kept=float(tokens_N.sum() / max(1.0, raw_N.sum())))


def values(per_query: Sequence[float | None]) -> Floats:
    """Values by query as they stand in a file: null is nan."""
    return np.array([np.nan if value is None else value for value in per_query], dtype=np.float64)


def _plain(values_Q: Floats) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values_Q]
