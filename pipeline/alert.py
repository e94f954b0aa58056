"""Score requests in, alerts out: each pair of search and posting once an opening (docs/semantics.md#alerts)."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from models.ranker import Ranker
from pipeline.match import has_content
from pipeline.percolation.meaning import QueryVector, fit, fits, query_of
from pipeline.scoring.each import score_each
from pipeline.scoring.items import item_of
from schemas.errors import ModelRejected
from schemas.keys import alert_id, day_of
from schemas.merge import is_current
from schemas.openings import opening_reason
from schemas.records import NEVER, Alert, Candidate, FeatureRecord, Reason, SavedSearch, ScoreRequest, State
from storage.claims import Claim, ClaimVerdict
from storage.cuts import Cut, CutNotes
from storage.features import FeatureStore
from storage.ledger import AlertLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """`deadline_s` bounds the model calls of one step together; it stays well under the consumer's poll interval."""

    deadline_s: float = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A score request, with the place of the message that carried it.

    `timestamp_ms`: the message's broker timestamp. `request_id`: 16 bytes that the matcher gave it; empty when an older
    version sent it. `whole`: candidates of the request that this one is a part of; 0: it is no part.
    """

    request: ScoreRequest
    partition: int
    offset: int
    timestamp_ms: int = 0
    request_id: bytes = b""
    whole: int = 0


class Fate(StrEnum):
    """What became of a candidate; a step gives each of its candidates exactly one."""

    ALERTED = "alerted"
    SUPPRESSED = "suppressed"  # the pair has already alerted in this opening
    OVER_QUOTA = "over_quota"
    BELOW_THRESHOLD = "below_threshold"
    FILTERED = "filtered"  # the posting in its present state does not match, or has no content
    NOT_OPEN = "not_open"
    DEFERRED = "deferred"  # no feature record yet, an older one, or one without its summary
    REJECTED = "rejected"  # the model refuses this item and scores others
    NOT_SCORED = "not_scored"  # the request had more candidates than the depth allows, and others fit better


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertBatch:
    """What one step has to send. `deferred` and `rejected` hold requests reduced to the candidates concerned."""

    alerts: list[Alert]
    deferred: list[Located]
    rejected: list[tuple[Located, str]]
    fates: Counter[Fate]


#: Stands for a posting that the store does not have; never leaves a step.
_MISSING = FeatureRecord(posting_id="", version=NEVER)


class _Pair:
    """One candidate of a request within a step: what was read, its score and its fate so far."""

    __slots__ = ("candidate", "cut", "fate", "model", "p_yes", "reason", "record", "source")

    def __init__(self, source: Located, candidate: Candidate, record: FeatureRecord | None) -> None:
        self.source = source
        self.candidate = candidate
        self.record = record or _MISSING
        self.p_yes = 0.0
        self.model = ""
        self.reason = ""
        self.cut: Cut | None = None
        self.fate = fate_of(source.request.search, candidate.version, record, query_of(source.request))


class AlertStep:
    """Requests in, alerts out. A call that was interrupted anywhere may be repeated with the same requests."""

    def __init__(
        self,
        features: FeatureStore,
        ranker: Ranker,
        ledger: AlertLedger,
        settings: AlertSettings | None = None,
        *,
        cuts: CutNotes | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        utc_s: Callable[[], float] = time.time,
    ) -> None:
        """`cuts`: where pairs are noted that are not scored, for `nearline explain`; None: nowhere."""
        self._features = features
        self._ranker = ranker
        self._ledger = ledger
        self._settings = settings or AlertSettings()
        self._cuts, self._monotonic, self._utc_s = cuts, monotonic, utc_s

    def run(self, requests: Sequence[Located], depth: int | None = None) -> AlertBatch:
        """Alerts to send in one transaction with the requests' offsets; claims are in the ledger when it returns.

        `depth`: how many candidates of a request are scored, those that fit best, by their vectors or words; None: all.
        Raises ModelUnavailable, StoreError and BrokersUnavailable: nothing is lost, call again with the same requests.
        """
        # 1. one bulk read; postings that are open, summarized and still match go on
        pairs = self._pairs(requests)
        if depth is not None:
            self._cut(pairs, depth)
        # 2. one call of the ranker for each query
        self._score([pair for pair in pairs if pair.fate is Fate.ALERTED])
        # 3. the ledger: claim the pairs that pass, release those that no longer do
        self._settle([pair for pair in pairs if pair.fate not in (Fate.DEFERRED, Fate.REJECTED)])
        # 4. what to send, what to try again, what the model refuses
        return AlertBatch(
            alerts=[_alert(pair) for pair in pairs if pair.fate is Fate.ALERTED],
            deferred=_requests_of(pair for pair in pairs if pair.fate is Fate.DEFERRED),
            rejected=[(_requests_of([pair])[0], pair.reason) for pair in pairs if pair.fate is Fate.REJECTED],
            fates=Counter(pair.fate for pair in pairs),
        )

    def release(self, requests: Sequence[Located]) -> None:
        """Give up the claims of these candidates, so that later requests may alert for their pairs.

        For claims whose transaction never committed. Raises as `run` does; call again then.
        """
        pairs = self._pairs(requests)
        for pair in pairs:
            pair.fate = Fate.DEFERRED
        self._ledger.settle_many([_claim(pair) for pair in pairs if pair.record is not _MISSING])

    def transacted(self, alerts: Sequence[Alert], *, committed: bool) -> None:
        """Tell the ledger how a turn's transaction ended, which held these alerts. It never raises."""
        self._ledger.transacted([alert.alert_id for alert in alerts], committed=committed)

    def _pairs(self, requests: Sequence[Located]) -> list[_Pair]:
        ids = list({candidate.posting_id for source in requests for candidate in source.request.candidates})
        held = dict(zip(ids, self._features.get_many(ids), strict=True))
        return [
            _Pair(source, candidate, held[candidate.posting_id])
            for source in requests
            for candidate in source.request.candidates
        ]

    def _cut(self, pairs: Sequence[_Pair], depth: int) -> None:
        """Leave out of each request's candidates those that fit worst, as many as it has above its part of `depth`."""
        requests: dict[int, list[_Pair]] = {}
        for pair in pairs:
            if pair.fate is Fate.ALERTED:
                requests.setdefault(id(pair.source), []).append(pair)
        for asked in requests.values():
            self._cut_one(asked, depth)
        cut = [(_alert_id(pair), pair.cut) for pair in pairs if pair.cut is not None]
        if cut and self._cuts is not None:
            self._cuts.put_many(cut)

    def _cut_one(self, asked: list[_Pair], depth: int) -> None:
        source = asked[0].source
        held = len(source.request.candidates)
        allowed = max(1, -(-depth * held // max(held, source.whole)))
        if len(asked) <= allowed:
            return
        at_ms = int(self._utc_s() * 1000)
        ordered = sorted(asked, key=_fits_worse)
        for place, pair in enumerate(ordered[allowed:], allowed + 1):
            pair.fate = Fate.NOT_SCORED
            pair.cut = Cut(depth=allowed, place=place, candidates=len(asked), at_ms=at_ms)

    def _score(self, pairs: Iterable[_Pair]) -> None:
        """Give each pair its `p_yes`, and the fate BELOW_THRESHOLD where that is too low."""
        deadline = self._monotonic() + self._settings.deadline_s
        queries: dict[str, list[_Pair]] = {}
        for pair in pairs:
            queries.setdefault(pair.source.request.search.query, []).append(pair)
        for query, asked in queries.items():
            self._ask(query, asked, deadline)
        for pair in pairs:
            if pair.fate is Fate.ALERTED and pair.p_yes < pair.source.request.search.threshold:
                pair.fate = Fate.BELOW_THRESHOLD

    def _ask(self, query: str, pairs: list[_Pair], deadline: float) -> None:
        """Score the postings of one query; an item that the ranker refuses gets the fate REJECTED."""
        items = {pair.candidate.posting_id: item_of(pair.record) for pair in pairs}
        answers = score_each(self._ranker, query, list(items.values()), deadline, self._monotonic)
        found, model = dict(zip(items, answers, strict=True)), self._ranker.model
        for pair in pairs:
            answer = found[pair.candidate.posting_id]
            if isinstance(answer, ModelRejected):
                pair.fate, pair.reason = Fate.REJECTED, str(answer)
            else:
                pair.p_yes, pair.model = answer, model

    def _settle(self, pairs: list[_Pair]) -> None:
        # quotas are given in the order of the claims: best first within a request
        pairs = sorted(pairs, key=lambda pair: -pair.p_yes)  # stable
        claims = [_claim(pair) for pair in pairs]
        for pair, verdict in zip(pairs, self._ledger.settle_many(claims), strict=True):
            if verdict is ClaimVerdict.SUPPRESSED:
                pair.fate = Fate.SUPPRESSED
            elif verdict is ClaimVerdict.OVER_QUOTA:
                pair.fate = Fate.OVER_QUOTA


def fate_of(
    search: SavedSearch, version: int, record: FeatureRecord | None, query: QueryVector | None = None
) -> Fate:
    """A candidate's fate as far as it is known before scoring; ALERTED if nothing rules it out."""
    if record is None or record.version < version:
        return Fate.DEFERRED
    if record.state is not State.OPEN:
        return Fate.NOT_OPEN
    if not has_content(record):
        # the matcher saw content, so a removal has erased it since, and waiting would not bring it back
        return Fate.FILTERED
    if not is_current(record):
        return Fate.DEFERRED
    return Fate.ALERTED if fits(search, query, record) else Fate.FILTERED


def _fits_worse(pair: _Pair) -> tuple[bool, float, int, str]:
    """A key that orders pairs as the matcher does, the best first; of equal ones the newest posting first."""
    request = pair.source.request
    compared, score = fit(request.search, query_of(request), pair.record)
    return not compared, -score, -pair.record.version, pair.record.posting_id


def _alert_id(pair: _Pair) -> str:
    return alert_id(pair.source.request.search.search_id, pair.record.posting_id, pair.record.episode)


def _claim(pair: _Pair) -> Claim:
    record, search = pair.record, pair.source.request.search
    return Claim(
        alert_id=_alert_id(pair),
        search_id=search.search_id,
        partition=pair.source.partition,
        offset=pair.source.offset,
        passes=pair.fate is Fate.ALERTED,
        day=day_of(record.version),
        top_k=search.top_k,
        request_ms=pair.source.timestamp_ms,
        request_id=pair.source.request_id,
    )


def _alert(pair: _Pair) -> Alert:
    record, search = pair.record, pair.source.request.search
    return Alert(
        alert_id=_alert_id(pair),
        search_id=search.search_id,
        posting_id=record.posting_id,
        version=record.version,
        episode=record.episode,
        query=search.query,
        title=record.title,
        company=record.company,
        p_yes=pair.p_yes,
        model=pair.model,
        updated_ms=pair.candidate.updated_ms,
        reason=_reason(pair.candidate, record),
    )


def _reason(candidate: Candidate, record: FeatureRecord) -> Reason:
    """The candidate's reason, unless it gives none or the posting has begun another opening since."""
    known = candidate.reason is not Reason.UNKNOWN and candidate.version >= record.episode
    return candidate.reason if known else opening_reason(record)


def _requests_of(pairs: Iterable[_Pair]) -> list[Located]:
    """The requests of these pairs, reduced to their candidates."""
    found: dict[int, tuple[Located, list[Candidate]]] = {}
    for pair in pairs:
        found.setdefault(id(pair.source), (pair.source, []))[1].append(pair.candidate)
    return [
        replace(source, request=replace(source.request, candidates=tuple(candidates)))
        for source, candidates in found.values()
    ]
