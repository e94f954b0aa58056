"""What may be scored now: production's admission, called at each event and at the times that it asks for."""

from __future__ import annotations

import math
from collections.abc import Callable

from pipeline.control.admission import Admission
from pipeline.control.concurrency_limit import Outcome
from pipeline.control.work import Decision, Work
from pipeline.simulation.asked import Payload
from pipeline.simulation.clock import Agenda
from schemas.traffic import TrafficClass


class Gate:
    """Hands work to `begin` once it may begin, and to `refuse` once it may not; without an `admission`, at once."""

    def __init__(
        self,
        agenda: Agenda,
        admission: Admission[Payload] | None,
        *,
        begin: Callable[[Payload], None],
        refuse: Callable[[Payload], None],
    ) -> None:
        self._agenda, self.admission = agenda, admission
        self._begin, self._refuse = begin, refuse
        self._looks_at = math.inf
        self._handing_out = False
        self.waiting = 0
        """Work that is deferred now."""

    def offer(self, payload: Payload, traffic: TrafficClass, cost: int, deadline: float) -> Decision:
        """Offer work of so many candidates; returns what became of it, after `begin` or `refuse` was called."""
        if self.admission is None:
            self._begin(payload)
            return Decision.ADMIT
        work = payload.work = Work(traffic, cost, payload, deadline)
        decision = self.admission.offer(self._agenda.clock.now, work).decision
        if decision is Decision.ADMIT:
            self._begin(payload)
        elif decision is Decision.DEFER:
            self.waiting += 1
            self._look_later()
        else:
            self._drop(work)
        return decision

    def left(self, payload: Payload, outcome: Outcome) -> None:
        """Note that a server has answered work that had begun, or that it needed none; other work may begin."""
        work, payload.work = payload.work, None
        if work is not None and self.admission is not None:
            self.admission.done(self._agenda.clock.now, work, outcome)
            self._hand_out()

    def _hand_out(self) -> None:
        """Begin and refuse what waits, as far as admission lets it. What begins may end at once and call this again."""
        if self.admission is None or self._handing_out or not self.waiting:
            return
        self._handing_out, now = True, self._agenda.clock.now
        for work in self.admission.overdue(now):
            self.waiting -= 1
            self._drop(work)
        while (taken := self.admission.take(now)) is not None:
            self.waiting -= 1
            self._begin(taken.payload)
        self._handing_out = False
        self._look_later()

    def _drop(self, work: Work[Payload]) -> None:
        work.payload.work = None
        self._refuse(work.payload)

    def _look_later(self) -> None:
        """Look again when admission asks for it, unless that is to happen sooner already."""
        at = self.admission.wakes_at(self._agenda.clock.now) if self.admission else None
        if at is not None and at < self._looks_at:
            self._looks_at = at
            self._agenda.add(at, self._look)

    def _look(self, _: object) -> None:
        self._looks_at = math.inf
        self._hand_out()
