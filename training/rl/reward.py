"""The reward of summaries: equation (4), from a frozen ranker's scores on summary and on raw text.

A ranker that is down or answers no number is asked again; a posting whose summaries get no score then has no reward
in this step, is counted, and past a bound ends the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.divergence import binary_kl
from models.guards import flags
from schemas.backoff import Backoff
from schemas.errors import ModelError, ModelUnavailable
from training.components.arrays import Floats
from training.evaluation.scorers import Asked, LogitScorer
from training.rl.actor import Source
from training.rl.config import RewardConfig
from training.rl.penalties import penalty
from training.rl.queries import Search

Count = Callable[[Sequence[str]], list[int]]
"""Gives the length of each text in the ranker's tokens."""
Searches = Callable[[Source], Sequence[Search]]
"""Gives the queries by which a posting's summaries are judged; always the same for one posting."""

PAUSES = Backoff(first_s=1.0, longest_s=30.0)
"""Between the attempts of one step's scores."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupReward:
    """The rewards of one posting's summaries and their parts, [G]; `total` = `agreement` + `grade` + `penalty`."""

    total: Floats
    agreement: Floats
    """Minus the mean KL(p_sum ‖ p_raw) over the queries."""
    grade: Floats
    """Minus the weighted mean KL(p* ‖ p_sum) over the queries that have a grade."""
    penalty: Floats
    tokens: Floats
    shares: Floats
    """Lengths of summaries over that of the text."""
    flags: tuple[frozenset[str], ...]


class Reward:
    """Rewards of groups of summaries by one ranker; a posting's scores on raw text are computed once and kept."""

    def __init__(
        self,
        scorer: LogitScorer,
        count: Count,
        searches: Searches,
        config: RewardConfig,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`sleep`: waits between attempts; `lost` and `retries` count from here."""
        self._scorer, self._count, self._searches, self._config = scorer, count, searches, config
        self._sleep = sleep
        self._raw: dict[str, Floats] = {}
        self.lost = self.retries = 0

    def of(self, sources: Sequence[Source], texts: Sequence[Sequence[str]]) -> list[GroupReward | None]:
        """A reward for each source's summaries, None where the ranker gives no number.

        ModelUnavailable once more than `most_lost` groups of the run have none.
        """
        scores = self._scores(sources, texts)
        found = [
            None if logits_QG is None else self._reward(source, own, logits_QG)
            for source, own, logits_QG in zip(sources, texts, scores, strict=True)
        ]
        self.lost += sum(reward is None for reward in found)
        if self.lost > self._config.most_lost:
            raise ModelUnavailable(
                f"the ranker gave no score for the summaries of {self.lost} postings, more than reward.most_lost "
                f"({self._config.most_lost}): look at the ranker, then go on with --resume"
            )
        return found

    def raw(self, sources: Sequence[Source]) -> list[Floats]:
        """The logits [queries] of each source's raw text; ModelUnavailable names a posting without."""
        self._scores(sources, [[source.text] for source in sources])
        for source in sources:
            if source.posting.posting_id not in self._raw:
                raise ModelUnavailable(
                    f"the ranker gave no score for the raw text of the posting {source.posting.posting_id}"
                )
        return [self._raw[source.posting.posting_id] for source in sources]

    def know(self, source: Source, raw_Q: Floats) -> None:
        """Take the logits of a source's raw text from where they were computed before."""
        self._raw[source.posting.posting_id] = raw_Q

    def _scores(self, sources: Sequence[Source], texts: Sequence[Sequence[str]]) -> list[Floats | None]:
        """For each source its logits [Q, G]; None where they are not numbers after all attempts."""
        kept: dict[int, Floats] = {}
        for attempt in range(1, self._config.attempts + 1):
            rows = [row for row in range(len(sources)) if row not in kept]
            kept |= self._attempt(sources, texts, rows)
            if len(kept) == len(sources):
                break
            if attempt < self._config.attempts:
                self.retries += 1
                self._sleep(PAUSES.wait_s(attempt))
        return [kept.get(row) for row in range(len(sources))]

    def _attempt(
        self, sources: Sequence[Source], texts: Sequence[Sequence[str]], rows: Sequence[int]
    ) -> dict[int, Floats]:
        """Logits [Q, G] by row, of the rows whose scores are numbers; the raw scores that were missing are kept."""
        new = [row for row in rows if sources[row].posting.posting_id not in self._raw]
        asked = [pair for row in new for pair in self._asked(sources[row], [sources[row].text])]
        asked += [pair for row in rows for pair in self._asked(sources[row], texts[row])]
        try:
            answers = iter(self._scorer.differences(asked))
        except ModelError:
            return {}
        for row in new:
            raw_Q = self._block(sources[row], answers)[:, 0]
            if np.isfinite(raw_Q).all():
                self._raw[sources[row].posting.posting_id] = raw_Q
        found = {row: self._spread(texts[row], self._block(sources[row], answers)) for row in rows}
        known = self._raw.keys()
        return {
            row: logits
            for row, logits in found.items()
            if np.isfinite(logits).all() and sources[row].posting.posting_id in known
        }

    def _asked(self, source: Source, texts: Sequence[str]) -> list[Asked]:
        """One call a query for each different text; a group often holds one summary several times."""
        items = [replace(source.posting.item, text=text) for text in dict.fromkeys(texts)]
        return [(search.query, items) for search in self._searches(source)]

    def _block(self, source: Source, answers: Iterator[Floats]) -> Floats:
        """The next answers [Q, different texts], of one source."""
        return np.stack([next(answers) for _ in self._searches(source)])

    def _spread(self, texts: Sequence[str], logits_QT: Floats) -> Floats:
        places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        return logits_QT[:, [places[text] for text in texts]]

    def _reward(self, source: Source, texts: Sequence[str], logits_QG: Floats) -> GroupReward:
        raw_Q1 = self._raw[source.posting.posting_id][:, None]
        kl_G = binary_kl(logits_QG, raw_Q1).mean(axis=0)
        tokens_G = np.array(self._count(texts), dtype=np.float64)
        original = max(1, source.tokens)
        grade_G = self._grades(source, logits_QG)
        penalty_G = penalty(original, tokens_G, kl_G, self._config)
        return GroupReward(
            total=-kl_G + grade_G + penalty_G,
            agreement=-kl_G,
            grade=grade_G,
            penalty=penalty_G,
            tokens=tokens_G,
            shares=tokens_G / original,
            flags=tuple(flags(text, replace(source.posting.item, text=source.text)) for text in texts),
        )

    def _grades(self, source: Source, logits_QG: Floats) -> Floats:
        soft = [search.soft_label for search in self._searches(source)]
        rows = [row for row, value in enumerate(soft) if value is not None]
        if not rows or not self._config.grade_weight:
            return np.zeros(logits_QG.shape[1])
        wanted_Q = np.array([float(soft[row] or 0.0) for row in rows]).clip(1e-6, 1 - 1e-6)
        wanted_Q1 = np.log(wanted_Q / (1 - wanted_Q))[:, None]
        found: Floats = -self._config.grade_weight * binary_kl(wanted_Q1, logits_QG[rows]).mean(axis=0)
        return found
