"""The shell around `Admission` for the threads of one process: a lock, and waiting."""

import threading
import time
from collections.abc import Callable
from math import inf

from pipeline.control.admission import Admission, AdmissionState
from pipeline.control.concurrency_limit import Outcome
from pipeline.control.work import Decision, Verdict, Work
from schemas.errors import ModelDeferred, ModelUnavailable

#: A waiting thread looks at the clock at least so often.
LONGEST_WAIT_S = 1.0


class Gate:
    """Lets the threads of a process begin work as their common `Admission` says."""

    def __init__(self, admission: Admission[None], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._admission = admission
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._shed: set[int] = set()

    def enter(self, work: Work[None], *, waits: bool) -> None:
        """Return once the work may begin; whoever entered calls `leave`.

        Raises ModelUnavailable for work that is shed, and ModelDeferred for work that has to come again: with `waits`
        when its deadline has passed, without at once.
        """
        with self._changed:
            ask = self._admission.offer if waits else self._admission.ask
            verdict = ask(self._monotonic(), work)
            if verdict.decision is Decision.SHED:
                raise _shed(verdict)
            if verdict.decision is Decision.DEFER and not waits:
                raise ModelDeferred(
                    f"other work goes first: {verdict.reason}", retry_after_s=verdict.retry_after_s
                )
            while work.began_at == -inf:
                self._await_turn(work, verdict)

    def leave(self, work: Work[None], outcome: Outcome = Outcome.ANSWERED) -> None:
        """Note that the work has ended, and let others begin."""
        with self._changed:
            now = self._monotonic()
            self._admission.done(now, work, outcome)
            self._hand_out(now)

    @property
    def limit(self) -> float:
        """Units of work that may be in flight now."""
        return self._admission.limit

    def state(self) -> AdmissionState:
        """The state of the admission now."""
        with self._changed:
            return self._admission.state()

    def _await_turn(self, work: Work[None], verdict: Verdict) -> None:
        now = self._monotonic()
        self._hand_out(now)
        if id(work) in self._shed:
            self._shed.remove(id(work))
            raise _shed(verdict)
        if work.began_at != -inf:
            return
        if now >= work.deadline:
            self._admission.withdraw(work)
            raise ModelDeferred("the deadline passed while other work went first", retry_after_s=1.0)
        wakes_at = self._admission.wakes_at(now)
        wait_s = min(work.deadline - now, LONGEST_WAIT_S)
        self._changed.wait(wait_s if wakes_at is None else min(wait_s, wakes_at - now))

    def _hand_out(self, now: float) -> None:
        gone = self._admission.overdue(now)
        self._shed.update(map(id, gone))
        began = False
        while self._admission.take(now) is not None:
            began = True
        if began or gone:
            self._changed.notify_all()


def _shed(verdict: Verdict) -> ModelUnavailable:
    reason = verdict.reason or "the deadline cannot be met"
    return ModelUnavailable(f"overloaded: {reason}", retry_after_s=verdict.retry_after_s)
