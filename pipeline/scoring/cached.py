"""A ranker behind a score cache, with the protocol of the ranker that it wraps, for threads that call it together."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated

from typing_extensions import override

from models.prompts import Item
from models.ranker import Ranker
from pipeline.scoring.flights import ENTRIES, Flight, FlightTable, Verdict
from pipeline.scoring.items import score_keys
from pipeline.scoring.leader import Call, Leader, OtherModel, Signal
from pipeline.scoring.lifetimes import Kept, ScoreLifetimes
from pipeline.scoring.refresher import Refresher
from pipeline.scoring.renewals import Renewals
from pipeline.scoring.shared import BUDGET_S, SharedScores
from schemas.errors import ModelRejected, ModelUnavailable
from schemas.settings import Option, Options
from storage.scores import ScoreCache


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """How many scores are kept in memory, and for how long they and the leases count."""

    entries: Annotated[
        int,
        Option("Scores that the process keeps in memory, about 250 bytes each.", "--cache-entries"),
    ] = ENTRIES
    budget_s: Annotated[
        float,
        Option(
            "Longest time that scoring waits for the shared score cache (--cache) in one call. A cache that has not "
            "answered by then is passed over, and the ranker is asked.",
            "--cache-budget-s",
        ),
    ] = BUDGET_S
    lifetimes: Annotated[ScoreLifetimes, Options()] = field(default_factory=ScoreLifetimes)


class CachedScorer(Ranker):
    """A `Ranker` that asks another one for the scores that are not kept; one caller at a time asks for each.

    All scores of one result are of one model: if the model's name changes during a call, all items are scored again.
    `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        ranker: Ranker,
        cache: ScoreCache | None = None,
        settings: CacheSettings | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """`cache`: what processes share; None keeps scores in this process's memory alone."""
        settings = settings or CacheSettings()
        self._ranker = ranker
        self._clock = clock
        self._shared = SharedScores(cache, settings.budget_s, clock=clock)
        self._table = FlightTable(settings.lifetimes, entries=settings.entries, rng=rng)
        self._lock = threading.Lock()
        renewals = Renewals(settings.lifetimes.lease_s, clock)
        self._leader = Leader(ranker, self._table, self._lock, self._shared, renewals, clock)
        self._refresher = Refresher()
        self._answered = threading.local()

    @property
    @override
    def model(self) -> str:
        """Of the latest answer to this thread, whichever part of it was kept; else the wrapped ranker's."""
        name: str | None = getattr(self._answered, "model", None)
        return self._ranker.model if name is None else name

    @property
    @override
    def scored_as(self) -> str:
        """The wrapped ranker's."""
        return self._ranker.scored_as

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """Raises what the wrapped ranker raises; a failing cache costs calls of the model, nothing else.

        ModelUnavailable also when another caller computes a score and does not finish by the deadline. ModelRejected at
        once while the ranker's refusal of one of the items is kept.
        """
        return self.answer_many(query, items, deadline_s)[1]

    @override
    def answer_many(self, query: str, items: Sequence[Item], deadline_s: float) -> tuple[str, list[float]]:
        """As `score_many`, with the model's name."""
        call = Call(query, self._clock() + deadline_s)
        model = self._ranker.model
        try:
            scores = self._scores(model, call, items)
        except OtherModel:
            # what is kept is another model's: score all items again
            model, scores = self._leader.ask_anew(call, items)
        self._answered.model = model
        return model, scores

    def peek_many(self, query: str, items: Sequence[Item]) -> list[float | None]:
        """The scores that are kept for the ranker's present model, for `nearline explain`; calls no model."""
        keys = score_keys(self._ranker.model, self._ranker.scored_as, query, items)
        with self._lock:
            now = self._clock()
            kept = [self._table.peek(now, key) for key in keys]
        absent = [key for key, one in zip(keys, kept, strict=True) if one is None]
        stored = self._shared.get_many(absent, self._shared.allowance())
        found = [one or stored.get(key) for key, one in zip(keys, kept, strict=True)]
        return [None if one is None or one.reason is not None else one.score for one in found]

    def counts(self) -> dict[str, int]:
        """Look-ups by result as in `FlightCounts`, whose misses are split: `shared` had the shared cache's score.

        `failures` has the calls that went on without the shared cache too.
        """
        counts = asdict(self._table.counts)
        counts["shared"] = self._leader.shared
        counts["misses"] -= self._leader.shared
        counts["failures"] += self._shared.failures
        return counts

    def settle(self) -> None:
        """Wait until the refreshes that have begun are done."""
        self._refresher.settle()

    def _scores(self, model: str, call: Call, items: Sequence[Item]) -> list[float]:
        """Raises OtherModel when another model than `model` answers."""
        keys = score_keys(model, self._ranker.scored_as, call.query, items)
        left = dict(zip(keys, items, strict=True))
        found: dict[bytes, float] = {}
        while left:
            looks = self._look_up(left, found)
            if looks.early:
                self._refresh(model, call, left, looks.early)
            # lead first: whoever waits while others wait for it would wait for ever
            if looks.led:
                led = {key: left[key] for key in looks.led}
                found.update(self._leader.lead(model, call, led, looks.led))
            if looks.reason is not None:
                raise ModelRejected(looks.reason)
            if looks.waits:
                found.update(self._wait(call, looks.waits))
            left = {key: item for key, item in left.items() if key not in found}
        return [found[key] for key in keys]

    def _look_up(self, keys: Mapping[bytes, Item], found: dict[bytes, float]) -> "_Looks":
        """Look all keys up; the scores that are kept go into `found`."""
        looks = _Looks()
        with self._lock:
            now, look_up = self._clock(), self._table.look_up
            for key in keys:
                look = look_up(now, key)
                if look.verdict is Verdict.HIT:
                    found[key] = look.score
                elif look.flight is None:
                    looks.reason = look.reason
                elif look.verdict is Verdict.LEAD:
                    looks.led[key] = look.flight
                elif look.verdict is Verdict.EARLY:
                    found[key], looks.early[key] = look.score, look.flight
                else:
                    looks.waits.append(look.flight)
                    # only what somebody waits for needs a signal
                    look.flight.signal = look.flight.signal or Signal()
        return looks

    def _refresh(
        self, model: str, call: Call, items: Mapping[bytes, Item], flights: Mapping[bytes, Flight]
    ) -> None:
        """Have scores computed anew whose old ones were just answered."""
        due = {key: items[key] for key in flights}
        if not self._refresher.offer(lambda: self._leader.refresh(model, call.query, due, flights)):
            self._leader.give_up(flights)

    def _wait(self, call: Call, flights: Sequence[Flight]) -> dict[bytes, float]:
        """The scores of other callers; nothing for those that could not compute them or took too long."""
        found = {}
        for flight in flights:
            end = self._end(call, flight)
            if isinstance(end, ModelUnavailable):
                raise ModelUnavailable(str(end), retry_after_s=end.retry_after_s)
            if end is not None and end.reason is not None:
                raise ModelRejected(end.reason)
            if end is not None:
                found[flight.key] = end.score
        return found

    def _end(self, call: Call, flight: Flight) -> Kept | ModelUnavailable | None:
        """What another caller's flight ended with; None when that caller has let its lease end."""
        signal: Signal = flight.signal
        while not signal.done():
            now = self._clock()
            if now >= call.until_s:
                raise ModelUnavailable("another caller has not computed the score by the deadline")
            if now >= flight.ends_s:
                return None
            # the lease may be renewed meanwhile
            with contextlib.suppress(TimeoutError):
                return signal.result(min(call.until_s, flight.ends_s) - now)
        return signal.result()


class _Looks:
    """What one round of look-ups left to do: flights by key, and the reason of an item known as refused."""

    __slots__ = ("early", "led", "reason", "waits")

    def __init__(self) -> None:
        self.early: dict[bytes, Flight] = {}
        self.led: dict[bytes, Flight] = {}
        self.waits: list[Flight] = []
        self.reason: str | None = None
