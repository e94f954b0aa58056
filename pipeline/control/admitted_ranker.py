"""A ranker whose calls wait for admission, in parts of as many items as the learned limit allows."""

import time
from collections.abc import Callable, Sequence

from typing_extensions import override

from models.client.responses import ServerBusy
from models.prompts import Item
from models.ranker import Ranker
from pipeline.control.concurrency_limit import Outcome
from pipeline.control.gate import Gate
from pipeline.control.partial_scores import PartialScores
from pipeline.control.work import Work
from schemas.errors import ModelDeferred, ModelRejected, ModelUnavailable
from schemas.traffic import TrafficClass


class AdmittedRanker(Ranker):
    """A `Ranker` that asks another one as a gate admits, for the requests of one traffic class.

    `waits`: whether a call waits for its turn; otherwise a call that has to wait raises ModelDeferred at once, for
    callers that have other things to do meanwhile. Parts behind the first one wait in any case. A call that ends by an
    error in a later part keeps the scores of the parts before it for a call that asks for the same (`PartialScores`),
    so that calls which are interrupted again and again come to their end, also where threads share a ranker.
    """

    def __init__(
        self,
        ranker: Ranker,
        gate: Gate,
        traffic: TrafficClass,
        *,
        waits: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ranker, self._gate, self._traffic = ranker, gate, traffic
        self._waits, self._monotonic = waits, monotonic
        self._kept = PartialScores(monotonic=monotonic)

    @property
    @override
    def model(self) -> str:
        """The wrapped ranker's name."""
        return self._ranker.model

    @property
    @override
    def scored_as(self) -> str:
        """As the wrapped ranker says."""
        return self._ranker.scored_as

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """Raises what the wrapped ranker raises, and ModelDeferred when the gate or a busy server says to come again.

        Raises ModelUnavailable when the model changed between two parts, whose scores do not compare.
        """
        return self.answer_many(query, items, deadline_s)[1]

    @override
    def answer_many(self, query: str, items: Sequence[Item], deadline_s: float) -> tuple[str, list[float]]:
        """Raises as `score_many` does."""
        deadline = self._monotonic() + deadline_s
        model = self._ranker.model if self._kept else ""
        found = self._kept.take(model, query, items) if model else {}
        left = [item for item in dict.fromkeys(items) if item not in found]
        models = {model} if found else set[str]()
        try:
            self._score(query, left, deadline, found, models)
        except (ModelUnavailable, ModelRejected):
            if len(models) == 1:
                self._kept.keep(models.pop(), query, found)
            raise
        if len(models) > 1:
            raise ModelUnavailable(f"the model changed during one request: {sorted(models)}")
        return models.pop() if models else self._ranker.model, [found[item] for item in items]

    def _score(
        self, query: str, left: Sequence[Item], deadline: float, found: dict[Item, float], models: set[str]
    ) -> None:
        """Add the scores of `left` to `found`, part by part, and the names of the models that answered to `models`."""
        charge, waits, at = float(len(left)), self._waits, 0
        while at < len(left):
            part = left[at : at + max(1, int(self._gate.limit))]
            work = Work[None](self._traffic, float(len(part)), None, deadline, charge)
            model, scores = self._part(work, query, part, waits=waits)
            found.update(zip(part, scores, strict=True))
            models.add(model)
            # the first part has paid for all
            charge, waits, at = 0.0, True, at + len(part)

    def _part(
        self, work: Work[None], query: str, items: Sequence[Item], *, waits: bool
    ) -> tuple[str, list[float]]:
        self._gate.enter(work, waits=waits)
        # an error that nobody foresaw teaches as little as a refusal does
        outcome = Outcome.REFUSED
        try:
            answer = self._ranker.answer_many(query, items, work.deadline - self._monotonic())
            outcome = Outcome.ANSWERED
        except ServerBusy as busy:
            if busy.retry_after_s > 0:
                raise ModelDeferred(str(busy), retry_after_s=busy.retry_after_s) from busy
            raise
        except ModelUnavailable:
            if self._monotonic() >= work.deadline:
                outcome = Outcome.LATE
            raise
        finally:
            self._gate.leave(work, outcome)
        return answer
