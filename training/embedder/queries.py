"""A batch of queries over one domain's postings, each pair with a soft label: what the askers draw."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt

CANDIDATES = 8
"""Postings that are drawn for each query; the others of its batch are those drawn for the batch's other queries."""
FRAMES = ("{} jobs", "{} vacancy", "job as {}", "work as a {}", "{} wanted")
FRAMED = 0.12
"""Share of queries that a searcher's usual words stand around."""
Labels = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """Queries [Q] with the postings [P] that were drawn for them, as numbers in the source, and labels [Q, P].

    A label is NaN where the teacher cannot tell.
    """

    queries: tuple[str, ...]
    postings: tuple[int, ...]
    labels_QP: Labels


def framed(rng: Random, text: str) -> str:
    """A query, sometimes with a searcher's usual words around it."""
    return rng.choice(FRAMES).format(text) if rng.random() < FRAMED else text
