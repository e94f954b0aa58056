"""What a cosine of MiniLM's vectors is worth as a grade: soft labels of titles and of statements, put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.components.arrays import Singles
from training.synthetic.facts import SOFT_LABELS

TITLE = (
    (0.2, 0.03),
    (0.35, 0.10),
    (0.45, 0.20),
    (0.55, 0.42),
    (0.65, 0.56),
    (0.75, 0.72),
    (0.85, 0.88),
    (0.93, 0.97),
)
"""Cosine of the occupation asked for and a title, and the soft label of the occupation; linear in between.

Measured: the mean soft label of the rules, over 700 training titles of health service and of technology each, and the
lexicon's training wordings.
"""
STATED = ((0.30, 0.0), (0.40, 0.10), (0.50, 0.30), (0.60, 0.52), (0.70, 0.75), (0.80, 1.0))
"""Cosine of the words asked for and a clause, and the probability that the clause states them.

Measured at the nearest clause of each of 400 training texts: .15 at .40 and .42 above .49, for the phrases of facets
that 9% of the texts state. Excerpts and skills are drawn from what a text says, so the points above lie higher.
"""
WORST, NONE, HALF, ALL = SOFT_LABELS[0], SOFT_LABELS[1], SOFT_LABELS[2], SOFT_LABELS[4]


def title_labels(cosines_N: Singles) -> Singles:
    """Soft labels [N] in [.03, .97] of titles for an occupation."""
    return _between(cosines_N, TITLE)


def stated(cosines_N: Singles) -> Singles:
    """Probabilities [N] that clauses state the words asked for."""
    return _between(cosines_N, STATED)


def label(occupation: float, met: Sequence[float]) -> float:
    """The soft label of a posting: of its occupation, lowered by the requirements that are not met.

    `met`: for each requirement the probability that it is stated. As in the rules, a posting of the occupation that
    states nothing of what was asked for has grade 1, and half of it grade 2.
    """
    if not met:
        return occupation
    share = np.array([sum(met) / len(met)], dtype=np.float32)
    return float(labels(np.array([occupation], dtype=np.float32), share)[0])


def labels(occupation_N: Singles, met_N: Singles) -> Singles:
    """As `label` for many postings, given the mean probability of each that it states what was asked for."""
    need_N = np.interp(met_N, (0.0, 0.5, 1.0), (NONE, HALF, ALL))
    found: Singles = (WORST + (occupation_N - WORST) * (need_N - WORST) / (ALL - WORST)).astype(np.float32)
    return found


def _between(cosines_N: Singles, points: Sequence[tuple[float, float]]) -> Singles:
    places, values = zip(*points, strict=True)
    found: Singles = np.interp(cosines_N, places, values).astype(np.float32)
    return found
