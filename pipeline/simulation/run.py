"""Run a trace through depth, cache, admission and servers, from one event to the next."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from pipeline.control.admission import Admission
from pipeline.control.concurrency_limit import Outcome
from pipeline.control.work import Decision
from pipeline.scoring.flights import FlightTable
from pipeline.simulation.asked import Asked, Payload, Refresh
from pipeline.simulation.clock import Agenda, VirtualClock
from pipeline.simulation.counters import counters
from pipeline.simulation.depths import DepthControl
from pipeline.simulation.gate import Gate
from pipeline.simulation.journal import Journal
from pipeline.simulation.report import Results
from pipeline.simulation.scoring import Scorer
from pipeline.simulation.servers import Job, Server
from pipeline.simulation.services import ServiceTimes
from pipeline.simulation.settings import SimulationSettings
from pipeline.simulation.traces import Request
from schemas.errors import ConfigError
from schemas.traffic import TrafficClass

WATCH_EVERY = 2_000
"""Requests between two calls of `watch`."""


class Simulation:
    """One run, of one trace: the same settings, machines, seed and trace give the same results."""

    def __init__(self, settings: SimulationSettings, services: Sequence[ServiceTimes], seed: int) -> None:
        """`services`: one for each server. ConfigError for none."""
        if not services:
            raise ConfigError("a simulation needs at least one server")
        self._settings, self._agenda = settings, Agenda(VirtualClock())
        self._journal = Journal(self._agenda.clock, settings.step_s)
        self._depths = DepthControl(settings)
        self._flights = _flights(settings, seed)
        self._servers = [self._server(one, f"{seed} server {n}") for n, one in enumerate(services)]
        limit = settings.new_limit
        admission: Admission[Payload] | None = Admission(limit(), settings.admission) if limit else None
        self._gate = Gate(self._agenda, admission, begin=self._begin, refuse=self._refuse)
        self._scorer = Scorer(
            self._agenda,
            self._flights,
            self._servers,
            self._journal.tallies,
            gives_up={one for one, policy in settings.admission.policies.items() if policy.sheds}
            if limit
            else (),
            ended=self._scored,
            left=self._gate.left,
            refresh=self._refresh,
        )
        self._trace_over = False

    def run(self, trace: Iterable[Request], watch: Callable[[int], object] | None = None) -> Results:
        """Run a trace to the end of its last request; `watch` is told now and then how many have arrived."""
        self._agenda.add(0.0, self._control)
        self._agenda.add(0.0, self._observe)
        with _collecting_seldom():
            count = self._play(trace, watch)
        if watch:
            watch(count)
        return Results(
            seconds=self._journal.last_end_s,
            tallies=self._journal.tallies,
            series=self._journal.series,
            servers=[server.figures() for server in self._servers],
            counters=counters(self._flights, self._gate.admission, self._depths),
        )

    def _play(self, trace: Iterable[Request], watch: Callable[[int], object] | None) -> int:
        """Let all requests arrive and end; returns how many there were."""
        agenda, count = self._agenda, 0
        for count, request in enumerate(trace, 1):
            agenda.run_until(request.at)
            self._arrive(request)
            if watch and count % WATCH_EVERY == 0:
                watch(count)
        self._trace_over = True
        agenda.run_out()
        return count

    def _arrive(self, request: Request) -> None:
        """Answer what the cache has whole at once, and offer all other requests to admission."""
        wanted, depth = len(request.candidates), self._depths.depth(request.traffic)
        asked = Asked(request, wanted if depth is None else min(wanted, depth), self._settings.page)
        self._journal.arrived(asked)
        missing = self._scorer.missing(asked)
        if not missing:
            self._scorer.score(asked)
        elif (
            self._gate.offer(asked, asked.traffic, missing, request.at + request.deadline_s) is Decision.DEFER
        ):
            self._journal.deferred(asked)

    def _begin(self, payload: Payload) -> None:
        if isinstance(payload, Asked):
            self._scorer.score(payload)
        else:
            self._scorer.compute(payload)

    def _refuse(self, payload: Payload) -> None:
        if isinstance(payload, Asked):
            self._journal.shed(payload)
        else:
            self._scorer.fail(payload.flight)

    def _refresh(self, refresh: Refresh) -> None:
        deadline = self._agenda.clock.now + self._settings.refresh_s
        self._gate.offer(refresh, TrafficClass.REFRESH, refresh.items, deadline)

    def _scored(self, asked: Asked) -> None:
        now = self._agenda.clock.now
        self._depths.answered(now, asked.traffic, now - asked.request.at)
        self._journal.scored(asked)
        # what no server has answered teaches the limit nothing
        self._gate.left(asked, Outcome.REFUSED)

    def _server(self, times: ServiceTimes, seed: str) -> Server:
        return Server(
            self._agenda,
            times,
            self._settings.batching,
            random.Random(seed),
            self._journal.series,
            done=self._done,
            waited=self._waited,
        )

    def _done(self, job: Job, computed: bool) -> None:
        self._scorer.done(job, computed)

    def _waited(self, seconds: float) -> None:
        self._depths.waited(self._agenda.clock.now, seconds)

    def _control(self, _: object) -> None:
        self._depths.step(self._agenda.clock.now, self._servers, self._journal.series)
        self._again(self._depths.period_s, self._control)

    def _observe(self, _: object) -> None:
        now, series = self._agenda.clock.now, self._journal.series
        self._journal.note_hits()
        series.note("waiting for admission", now, self._gate.waiting)
        series.note("waiting at servers", now, sum(len(server) for server in self._servers))
        if self._gate.admission is not None:
            series.note("limit", now, self._gate.admission.state().limit.limit)
        self._again(series.step_s, self._observe)

    def _again(self, seconds: float, event: Callable[[object], None]) -> None:
        if self._journal.open or not self._trace_over:
            self._agenda.add(self._agenda.clock.now + seconds, event)


@contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Have the garbage collector look for cycles a hundred times less often: it takes a tenth of a long run's time."""
    before = gc.get_threshold()
    gc.set_threshold(100 * before[0], *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _flights(settings: SimulationSettings, seed: int) -> FlightTable | None:
    if settings.cache is None:
        return None
    return FlightTable(settings.cache, entries=settings.entries, rng=random.Random(f"{seed} cache"))
