"""What one summary keeps: the ranker's answers on it and on the raw text, its length, and the guards that it hits."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.divergence import binary_kl, logit
from models.guards import flags
from models.prompts import Item
from models.ranker import Ranker
from models.unknown import UnknownTokens
from pipeline.drift.queries import queries
from schemas.errors import ModelUnavailable

DEADLINE_S = 10.0
"""For all queries of one posting together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A summarized posting: `item` has its raw text; lengths are in the summarizer's tokens."""

    posting_id: str
    item: Item
    summary: str
    text_tokens: int
    summary_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was found of one posting.

    `kl`: the mean over its queries of KL(p_sum ‖ p_raw), in nats, the agreement of equation (4). `unknown`: the share
    of the text's tokens that the ranker's tokenizer does not know or knows as parts of words.
    """

    kl: float
    unknown: float
    flags: frozenset[str]
    text_tokens: int
    summary_tokens: int


class Measurer:
    """Measures postings one after another by one ranker; used on one thread."""

    def __init__(
        self,
        ranker: Ranker,
        unknown: UnknownTokens,
        *,
        deadline_s: float = DEADLINE_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`unknown`: of the ranker's tokenizer."""
        self._ranker, self._unknown = ranker, unknown
        self._deadline_s, self._monotonic = deadline_s, monotonic
        self._other = ""

    def measure(self, subject: Subject) -> Measured:
        """Ask the ranker once a query; the posting before this one gives the strange query.

        Raises ModelUnavailable, also for scores that are not numbers and once the deadline is over, or ModelRejected.
        """
        item, deadline = subject.item, self._monotonic() + self._deadline_s
        asked = queries(subject.posting_id, item.title, item.text, self._other)
        self._other = item.title
        pair = (item, replace(item, text=subject.summary))
        raw, short = logit(np.array([self._scores(query, pair, deadline) for query in asked])).T
        return Measured(
            kl=float(binary_kl(short, raw).mean()),
            unknown=self._unknown.share_of(item.text),
            flags=flags(subject.summary, item),
            text_tokens=subject.text_tokens,
            summary_tokens=subject.summary_tokens,
        )

    def _scores(self, query: str, pair: tuple[Item, Item], deadline: float) -> list[float]:
        left_s = deadline - self._monotonic()
        if left_s <= 0:
            raise ModelUnavailable(f"the ranker has not scored one posting within {self._deadline_s:g} s")
        scores = self._ranker.score_many(query, pair, left_s)
        if not np.isfinite(scores).all():
            raise ModelUnavailable(f"the ranker's scores are not numbers: {scores}")
        return scores
