"""From a request to its scores: production's flight table decides, servers compute, requests wait for one another."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter

from pipeline.control.concurrency_limit import Outcome
from pipeline.scoring.flights import Flight, FlightTable, Verdict
from pipeline.scoring.renewals import SHARE
from pipeline.simulation.asked import Asked, Payload, Refresh, Unit, pairs_of, prefix_of
from pipeline.simulation.clock import Agenda
from pipeline.simulation.outcomes import Tally
from pipeline.simulation.servers import Job, Server
from schemas.traffic import TrafficClass

SCORE = 0.5
"""Stands for every score: none is looked at."""
Led = list[tuple[Flight | None, int]]
"""Flights that one job computes (None: there is no cache), and how many candidates each stands for."""


class Scorer:
    """Scores requests and refreshes that were admitted.

    `ended(asked)` is called when all of a request's candidates are known or refused, `left(payload, outcome)` when a
    server has answered a job, and `refresh(refresh)` to have a score computed anew.
    """

    def __init__(
        self,
        agenda: Agenda,
        flights: FlightTable | None,
        servers: Sequence[Server],
        tallies: Mapping[TrafficClass, Tally],
        *,
        gives_up: Collection[TrafficClass],
        ended: Callable[[Asked], None],
        left: Callable[[Payload, Outcome], None],
        refresh: Callable[[Refresh], None],
    ) -> None:
        """`gives_up`: classes whose requests a server drops once their deadline has passed."""
        self._agenda, self._flights, self._servers, self._tallies = agenda, flights, servers, tallies
        self._gives_up, self._ended, self._left, self._refresh = gives_up, ended, left, refresh

    def missing(self, asked: Asked) -> int:
        """Return how many candidates the cache does not have, without a look-up that counts."""
        flights, now, count = self._flights, self._agenda.clock.now, 0
        if flights is None:
            return asked.kept
        for key, items in asked.units:
            if flights.peek(now, key) is None:
                count += items
        return count

    def score(self, asked: Asked) -> None:
        """Look every candidate up, and have a server compute what is missing and nobody else computes."""
        led: Led = []
        asked.pending += 1
        if self._flights is None:
            self._tallies[asked.traffic].scored_items += asked.kept
            led.append((None, asked.kept))
        else:
            for unit in asked.units:
                self._look_up(self._flights, asked, unit, led)
        self._send(asked, led)
        self._part_done(asked)

    def compute(self, refresh: Refresh) -> None:
        """Have a server compute a score anew."""
        self._submit(refresh, [(refresh.flight, refresh.items)], TrafficClass.REFRESH)

    def done(self, job: Job, computed: bool) -> None:
        """Take a server's answer to a job: its scores, or that its deadline had passed."""
        payload, led = job.payload
        for flight, _ in led:
            if flight is not None:
                self.fill(flight) if computed else self.fail(flight)
        self._left(payload, Outcome.ANSWERED if computed else Outcome.LATE)
        if isinstance(payload, Asked):
            payload.expired |= not computed
            self._part_done(payload)

    def fill(self, flight: Flight) -> None:
        """Keep a score and let those go on who wait for it."""
        if self._flights is not None:
            now = self._agenda.clock.now
            _, ended = self._flights.filled(now, flight.key, SCORE, now - flight.began_s)
            if ended is not None:
                self._wake(ended)

    def fail(self, flight: Flight) -> None:
        """Give a flight up: an old score stays as long as it may, and one of those who wait computes it."""
        if self._flights is not None and self._flights.failed(self._agenda.clock.now, flight):
            self._wake(flight)

    def _look_up(self, flights: FlightTable, asked: Asked, unit: Unit, led: Led) -> None:
        key, items = unit
        look, tally = flights.look_up(self._agenda.clock.now, key), self._tallies[asked.traffic]
        if look.verdict is Verdict.HIT:
            tally.cached_items += items
        elif look.verdict is Verdict.LEAD:
            tally.scored_items += items
            led.append((look.flight, items))
        elif look.verdict is Verdict.REJECTED:
            tally.refused_items += items
        elif look.flight is not None and look.verdict is Verdict.WAIT:
            tally.joined_items += items
            asked.pending += 1
            self._wait(look.flight, asked, unit)
        elif look.flight is not None:
            tally.cached_items += items
            self._refresh(Refresh(asked.request, look.flight, items))

    def _wait(self, flight: Flight, asked: Asked, unit: Unit) -> None:
        if flight.signal is None:
            flight.signal = []
            self._agenda.add(max(flight.ends_s, self._agenda.clock.now), self._wake, flight)
        flight.signal.append((asked, unit))

    def _wake(self, flight: Flight) -> None:
        """Have all who wait for a flight look up again: it has ended, or its leader's time is over."""
        waiting, flight.signal = flight.signal or (), None
        for asked, unit in waiting:
            self._again(asked, unit)

    def _again(self, asked: Asked, unit: Unit) -> None:
        """Look a candidate up again, which counts as joined so far."""
        led: Led = []
        if self._flights is not None:
            look, tally = self._flights.look_up(self._agenda.clock.now, unit[0]), self._tallies[asked.traffic]
            if look.flight is not None and look.verdict is Verdict.WAIT:
                self._wait(look.flight, asked, unit)
                return
            if look.flight is not None:
                tally.joined_items -= unit[1]
                tally.scored_items += unit[1]
                led.append((look.flight, unit[1]))
        self._send(asked, led)
        self._part_done(asked)

    def _send(self, asked: Asked, led: Led) -> None:
        if led:
            asked.pending += 1
            self._submit(asked, led, asked.traffic)

    def _submit(self, payload: Payload, led: Led, traffic: TrafficClass) -> None:
        request = payload.request
        items = sum(count for _, count in led)
        job = Job(
            prefix=prefix_of(request.query, request.prefix_tokens),
            items=items,
            tokens=items * request.item_tokens,
            priority=int(traffic),
            payload=(payload, led),
            pairs=pairs_of(request, items),
            deadline=request.at + request.deadline_s if traffic in self._gives_up else math.inf,
        )
        servers = self._servers
        (servers[0] if len(servers) == 1 else min(servers, key=_pending)).submit(job)
        if self._flights is not None and request.deadline_s > self._flights.settings.lease_s:
            self._renew((led, request.at + request.deadline_s))

    def _renew(self, computing: tuple[Led, float]) -> None:
        """Renew the leases of a job's flights that have not ended, and look again later, up to its deadline."""
        (led, until), now = computing, self._agenda.clock.now
        if self._flights is None:
            return
        again = now + SHARE * self._flights.settings.lease_s
        left = [(one, items) for one, items in led if one is not None and self._flights.renewed(now, one)]
        if left and again < until:
            self._agenda.add(again, self._renew, (left, until))

    def _part_done(self, asked: Asked) -> None:
        asked.pending -= 1
        if not asked.pending:
            self._ended(asked)


_pending = attrgetter("pending_tokens")
