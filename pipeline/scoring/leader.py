"""What the one caller does that computes scores: look where other processes keep them, take the lease, ask, tell."""

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from threading import Lock

from models.prompts import Item
from models.ranker import Ranker
from pipeline.scoring.bounded import Allowance
from pipeline.scoring.flights import Flight, FlightTable
from pipeline.scoring.items import score_keys
from pipeline.scoring.lifetimes import Kept
from pipeline.scoring.renewals import Renewals
from pipeline.scoring.shared import SharedScores
from schemas.errors import ModelRejected, ModelUnavailable
from storage.scores import StoredScore

log = logging.getLogger(__name__)

Signal = Future[Kept | ModelUnavailable | None]
"""A flight's end: what is kept since, or why there is nothing; None: whoever waits looks up again."""
NEWER = 0.01
"""A shared score is a newer one if it expires later by this share of a score's time: two clocks differ a little."""


class OtherModel(Exception):
    """The answer is of another model than the one whose scores were looked for."""


@dataclass(frozen=True, slots=True)
class Call:
    """One caller's query, and until when (monotonic seconds) it waits."""

    query: str
    until_s: float


class Leader:
    """Computes scores for flights and ends the flights, whatever happens. `shared` counts scores of other processes."""

    def __init__(
        self,
        ranker: Ranker,
        table: FlightTable,
        lock: Lock,
        shared: SharedScores,
        renewals: Renewals,
        clock: Callable[[], float],
    ) -> None:
        """`lock` guards `table`."""
        self._ranker, self._table, self._lock = ranker, table, lock
        self._store, self._renewals, self._clock = shared, renewals, clock
        self._lease_s = table.settings.lease_s
        self.shared = 0

    def lead(
        self, model: str, call: Call, items: Mapping[bytes, Item], flights: Mapping[bytes, Flight]
    ) -> dict[bytes, float]:
        """The scores of these items, for which others wait.

        Raises ModelUnavailable, ModelRejected, and OtherModel when another model than `model` has answered.
        """
        error, scores = None, dict[bytes, float]()
        try:
            with self._renewals.during(partial(self._renew, flights), call.until_s):
                scores = self._scores(model, call, items)
        except ModelUnavailable as unavailable:
            # a caller that waits has more time perhaps: then it asks again
            error = unavailable if self._clock() < call.until_s else None
            raise
        finally:
            if not (scores and all(map(math.isfinite, scores.values()))):
                self.give_up(flights, error)
        return scores

    def refresh(
        self, model: str, query: str, items: Mapping[bytes, Item], flights: Mapping[bytes, Flight]
    ) -> None:
        """Compute scores anew that are still answered; one that another process computes is left to it."""
        call, allowance = Call(query, self._clock() + self._lease_s), self._store.allowance()
        try:
            renewed = self._newer(self._store.get_many(list(items), allowance))
            self._adopt(renewed)
            due = [key for key in items if key not in renewed]
            mine = self._store.lease_many(due, self._lease_s, allowance)
            self._leave([flights[key] for key in due if key not in mine])
            with self._renewals.during(partial(self._renew, flights), call.until_s):
                if mine:
                    self._compute(model, call, {key: items[key] for key in due if key in mine}, allowance)
        except (ModelUnavailable, ModelRejected, OtherModel) as error:
            log.info("%d scores are not refreshed: %s", len(items), error)
        finally:
            self.give_up(flights)

    def ask_anew(self, call: Call, items: Sequence[Item]) -> tuple[str, list[float]]:
        """Ask the ranker for all items, and keep the scores under the name of the model that answers."""
        began = self._clock()
        model, scores = self._ranker.answer_many(call.query, items, self._left_s(call))
        keys = score_keys(model, self._ranker.scored_as, call.query, items)
        self._fill(dict(zip(keys, scores, strict=True)), self._clock() - began, self._store.allowance())
        return model, scores

    def give_up(self, flights: Mapping[bytes, Flight], error: ModelUnavailable | None = None) -> None:
        """End those of the flights that have not ended; their waiters get the error, or look up again."""
        with self._lock:
            now = self._clock()
            for flight in flights.values():
                self._table.failed(now, flight)
                _tell(flight, error)

    def _scores(self, model: str, call: Call, items: Mapping[bytes, Item]) -> dict[bytes, float]:
        allowance = self._store.allowance()
        came = self._store.get_many(list(items), allowance)
        absent = [key for key in items if key not in came]
        mine = self._store.lease_many(absent, self._lease_s, allowance)
        found = self._taken(came)
        while True:
            asked = {key: items[key] for key in absent if key in mine}
            if asked:
                found.update(self._compute(model, call, asked, allowance))
            absent = [key for key in absent if key not in found]
            if not absent:
                break
            came, mine = self._store.wait_for(absent, self._lease_s, call.until_s)
            found.update(self._taken(came))
            self._left_s(call)
            absent = [key for key in absent if key not in came]
        for one in found.values():
            if one.reason is not None:
                raise ModelRejected(one.reason)
        return {key: one.score for key, one in found.items()}

    def _compute(
        self, model: str, call: Call, items: Mapping[bytes, Item], allowance: Allowance
    ) -> dict[bytes, Kept]:
        """Ask the ranker and keep what it says; leases of scores that could not be kept are given back."""
        began, kept = self._clock(), dict[bytes, Kept]()
        try:
            with self._renewals.during(partial(self._renew_shared, list(items)), call.until_s):
                name, scores = self._ranker.answer_many(call.query, list(items.values()), self._left_s(call))
            keys = list(items)
            if name != model:
                keys = score_keys(name, self._ranker.scored_as, call.query, list(items.values()))
            kept = self._fill(dict(zip(keys, scores, strict=True)), self._clock() - began, allowance)
        except ModelRejected as refusal:
            if len(items) == 1:
                kept = self._reject(next(iter(items)), str(refusal), allowance)
            raise
        finally:
            unkept = [key for key in items if key not in kept or kept[key].dies_s <= began]
            self._store.release_many(unkept, allowance)
        if name != model:
            raise OtherModel
        return kept

    def _renew(self, flights: Mapping[bytes, Flight]) -> None:
        with self._lock:
            now = self._clock()
            for flight in flights.values():
                self._table.renewed(now, flight)

    def _renew_shared(self, keys: Sequence[bytes]) -> None:
        self._store.renew_many(keys, self._lease_s, self._store.allowance())

    def _left_s(self, call: Call) -> float:
        left_s = call.until_s - self._clock()
        if left_s <= 0:
            raise ModelUnavailable("no time is left to compute a score, or to wait for another process's")
        return left_s

    def _fill(self, scores: Mapping[bytes, float], cost_s: float, allowance: Allowance) -> dict[bytes, Kept]:
        """Keep the scores here and in the shared store; one that is not finite is returned and not kept."""
        kept: dict[bytes, Kept] = {}
        stored: list[tuple[bytes, StoredScore]] = []
        with self._lock:
            now = self._clock()
            for key, score in scores.items():
                if not math.isfinite(score):
                    kept[key] = Kept(score=score, kept_s=now, expires_s=now, dies_s=-math.inf, cost_s=cost_s)
                    continue
                kept[key], flight = self._table.filled(now, key, score, cost_s)
                stored.append((key, _stored(kept[key], now)))
                _tell(flight, kept[key])
        self._store.put_many(stored, allowance)
        return kept

    def _reject(self, key: bytes, reason: str, allowance: Allowance) -> dict[bytes, Kept]:
        with self._lock:
            now = self._clock()
            kept, flight = self._table.rejected(now, key, reason)
            _tell(flight, kept)
        self._store.put_many([(key, _stored(kept, now))], allowance)
        return {key: kept}

    def _taken(self, came: Mapping[bytes, StoredScore]) -> dict[bytes, Kept]:
        """As `_adopt`, and count them: without the shared store they would have been computed here."""
        found = self._adopt(came)
        with self._lock:
            self.shared += len(found)
        return found

    def _adopt(self, came: Mapping[bytes, StoredScore]) -> dict[bytes, Kept]:
        """Keep here what another process keeps, for as long as it does."""
        found: dict[bytes, Kept] = {}
        with self._lock:
            now = self._clock()
            for key, stored in came.items():
                kept, flight = self._table.adopted(now, key, _kept(stored, now))
                found[key] = kept
                if flight is not None and flight.signal is not None:
                    _tell(flight, kept)
        return found

    def _newer(self, stored: Mapping[bytes, StoredScore]) -> dict[bytes, StoredScore]:
        """Those that expire later than what is kept here."""
        margin_s = NEWER * self._table.settings.ttl_s
        with self._lock:
            now = self._clock()
            ours = {key: self._table.peek(now, key) for key in stored}
        ends = {key: now if kept is None else kept.expires_s for key, kept in ours.items()}
        return {key: one for key, one in stored.items() if now + one.expires_in_s > ends[key] + margin_s}

    def _leave(self, flights: Iterable[Flight]) -> None:
        with self._lock:
            now = self._clock()
            for flight in flights:
                self._table.left(now, flight)
                _tell(flight, None)


def _tell(flight: Flight | None, end: Kept | ModelUnavailable | None) -> None:
    """Let those go on who wait for the flight; the table's lock is held, so that this happens once."""
    if flight is not None and flight.signal is not None and not flight.signal.done():
        flight.signal.set_result(end)


def _stored(kept: Kept, now: float) -> StoredScore:
    return StoredScore(kept.score, kept.cost_s, kept.expires_s - now, kept.dies_s - now, kept.reason)


def _kept(stored: StoredScore, now: float) -> Kept:
    return Kept(
        score=stored.score,
        kept_s=now,
        expires_s=now + stored.expires_in_s,
        dies_s=now + stored.dies_in_s,
        cost_s=stored.cost_s,
        reason=stored.reason,
    )
