"""A ranker whose calls wait for admission, in parts of as many items as the learned limit allows."""

import time
from collections.abc import Callable, Sequence

from typing_extensions import override

from models.client.responses import ServerBusy
from models.prompts import Item
from models.ranker import Ranker
from pipeline.control.admission import Work
from pipeline.control.concurrency_limit import Outcome
from pipeline.control.gate import Gate
from schemas.errors import ModelDeferred, ModelUnavailable
from schemas.traffic import TrafficClass


class AdmittedRanker(Ranker):
    """A `Ranker` that asks another one as a gate admits, for the requests of one traffic class.

    `waits`: whether a call waits for its turn; otherwise a call that has to wait raises ModelDeferred at once, for
    callers that have other things to do meanwhile. Only a call's first part may be told to come again, because the
    scores of the parts before it would be lost.
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

    @property
    @override
    def model(self) -> str:
        """The wrapped ranker's name."""
        return self._ranker.model

    @property
    @override
    def scored_as(self) -> str:
        """How the wrapped ranker's model computes."""
        return self._ranker.scored_as

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """Raises what the wrapped ranker raises, and ModelDeferred when the gate or a busy server says to come again.

        Raises ModelUnavailable when the model changed between two parts, whose scores do not compare.
        """
        deadline, scores = self._monotonic() + deadline_s, list[float]()
        charge, waits, models = float(len(items)), self._waits, set[str]()
        while len(scores) < len(items):
            part = items[len(scores) : len(scores) + max(1, int(self._gate.limit))]
            work = Work[None](self._traffic, float(len(part)), None, deadline, charge)
            scores += self._part(work, query, part, waits=waits)
            # the first part has paid for all
            charge, waits = 0.0, True
            models.add(self._ranker.model)
        if len(models) > 1:
            raise ModelUnavailable(f"the model changed during one request: {sorted(models)}")
        return scores

    def _part(self, work: Work[None], query: str, items: Sequence[Item], *, waits: bool) -> list[float]:
        self._gate.enter(work, waits=waits)
        # an error that nobody foresaw teaches as little as a refusal does
        outcome = Outcome.REFUSED
        try:
            scores = self._ranker.score_many(query, items, work.deadline - self._monotonic())
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
        return scores
