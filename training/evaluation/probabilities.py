"""How good `p_yes` is as a probability: AUC, Brier score, expected calibration error and the reliability table."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from training.components.arrays import Floats
from training.evaluation.intervals import quantiles, resamples
from training.evaluation.settings import BootstrapConfig

BINS = 10
AUC_RESAMPLES = 1_000
"""Resamples for the interval of AUC: fewer than elsewhere, because each is a pass over all pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """A row of the reliability table: pairs of similar `p_yes`, its mean, the relevant share, the mean soft label."""

    pairs: int
    p_yes: float
    relevant: float
    soft_label: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationFigures:
    """Figures over all pairs; `auc_low` and `auc_high` are the ends of AUC's interval over resampled queries."""

    auc: float
    auc_low: float
    auc_high: float
    brier: float
    brier_soft: float
    """Mean squared difference to the soft label, the target of equation (3)."""
    ece: float
    ece_soft: float
    bins: tuple[Bin, ...]

    def as_json(self) -> dict[str, object]:
        """The figures as they stand in a report's JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """All N pairs of an evaluation as parallel arrays: logit difference, query number, relevance and soft label."""

    logits: Floats
    query: npt.NDArray[np.int64]
    relevant: npt.NDArray[np.bool_]
    soft: Floats


def calibration(pairs: Pairs, config: BootstrapConfig) -> CalibrationFigures:
    """The figures of all pairs; AUC is nan when all of them are relevant, or none is."""
    p_N, yes_N = sigmoid(pairs.logits), pairs.relevant.astype(np.float64)
    bins = reliability(p_N, yes_N, pairs.soft)
    auc, low, high = auc_interval(pairs, config)
    return CalibrationFigures(
        auc=auc,
        auc_low=low,
        auc_high=high,
        brier=float(np.mean((p_N - yes_N) ** 2)),
        brier_soft=float(np.mean((p_N - pairs.soft) ** 2)),
        ece=sum(b.pairs * abs(b.p_yes - b.relevant) for b in bins) / len(p_N),
        ece_soft=sum(b.pairs * abs(b.p_yes - b.soft_label) for b in bins) / len(p_N),
        bins=bins,
    )


def reliability(p_N: Floats, yes_N: Floats, soft_N: Floats, bins: int = BINS) -> tuple[Bin, ...]:
    """Bins of equal count by `p_yes`; equal values stay together, so with ties there are fewer and larger bins."""
    ordered, inverse = np.unique(p_N, return_inverse=True)
    below = np.searchsorted(np.sort(p_N), ordered)
    bin_N = (below * bins // len(p_N))[inverse]
    return tuple(
        Bin(
            pairs=int(rows.sum()),
            p_yes=float(p_N[rows].mean()),
            relevant=float(yes_N[rows].mean()),
            soft_label=float(soft_N[rows].mean()),
        )
        for rows in (bin_N == number for number in np.unique(bin_N))
    )


def auc_interval(pairs: Pairs, config: BootstrapConfig) -> tuple[float, float, float]:
    """AUC over all pairs, ties half, and its interval over resampled queries."""
    drawn = BootstrapConfig(
        resamples=min(config.resamples, AUC_RESAMPLES), seed=config.seed, confidence=config.confidence
    )
    queries = int(pairs.query.max()) + 1
    whole = weighted_auc(pairs, np.ones((1, queries)))[0]
    values = np.concatenate([weighted_auc(pairs, counts) for counts in resamples(queries, drawn)])
    return float(whole), *quantiles(values, drawn)


def weighted_auc(pairs: Pairs, weights_RQ: Floats) -> Floats:
    """AUC [R] where query q counts `weights[r, q]` times, by one pass over the pairs in the order of their scores."""
    order = np.argsort(pairs.logits, kind="stable")
    ordered = pairs.logits[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    query, yes = pairs.query[order], pairs.relevant[order]
    found = [_auc_of(weights_Q[query], yes, starts) for weights_Q in weights_RQ]
    return np.array(found)


def _auc_of(weights_N: Floats, yes_N: npt.NDArray[np.bool_], starts_G: npt.NDArray[np.int64]) -> float:
    up_G = np.add.reduceat(weights_N * yes_N, starts_G)
    down_G = np.add.reduceat(weights_N * ~yes_N, starts_G)
    total = up_G.sum() * down_G.sum()
    return float(up_G @ (np.cumsum(down_G) - down_G / 2) / total) if total else float("nan")


def sigmoid(logits_N: Floats) -> Floats:
    """1 / (1 + exp(-x)) without overflow."""
    values: Floats = 0.5 * (1 + np.tanh(logits_N.astype(np.float64) / 2))
    return values
