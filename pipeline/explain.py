"""Explain why a saved search and a posting did or did not alert, by the steps of the alert consumer."""

from collections.abc import Callable
from dataclasses import dataclass

from models.prompts import SUFFIX, Prompter, item_text, query_text
from pipeline.alert import Fate, fate_of
from pipeline.filters import FilterCheck, filter_checks
from pipeline.match import feature_terms, has_content, query_terms
from pipeline.percolation.meaning import QueryVector, comparable, similarity
from pipeline.scoring.cached import CachedScorer
from pipeline.scoring.items import item_of
from schemas.errors import ModelRejected
from schemas.keys import alert_id, day_of
from schemas.openings import opening_reason
from schemas.records import FeatureRecord, Reason, SavedSearch, State
from storage.cuts import Cut, CutNotes
from storage.features import FeatureStore
from storage.ledger import AlertLedger
from storage.ledger_entry import LedgerEntry

_WHY = {
    Fate.ALERTED: "it passes, and no alert of this opening was sent: the next score request alerts",
    Fate.SUPPRESSED: "it alerted: this opening's alert was sent",
    Fate.OVER_QUOTA: "it passes, but the search has had its top-k alerts of the posting's day",
    Fate.BELOW_THRESHOLD: "the ranker's p_yes is below the search's threshold",
    Fate.FILTERED: "a hard filter fails, or the match by vectors or words",
    Fate.NOT_OPEN: "the posting is not open",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TermCheck:
    """The lexical match: the posting must contain `needed` of the query's terms."""

    found: tuple[str, ...]
    missing: tuple[str, ...]
    needed: int

    @property
    def passed(self) -> bool:
        """Whether enough were found."""
        return len(self.found) >= self.needed


@dataclass(frozen=True, slots=True, kw_only=True)
class MeaningCheck:
    """The match by vectors of the embedder `model`: their similarity, from -1 to 1, and the least that is needed."""

    model: str
    similarity: float
    needed: float

    @property
    def passed(self) -> bool:
        """Whether the vectors are near enough."""
        return self.similarity >= self.needed


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCheck:
    """The ranker's answer: the whole prompt, its tokens (None without a tokenizer), and whether the cache had it."""

    prompt: str
    tokens: int | None
    p_yes: float
    threshold: float
    cached: bool
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaCheck:
    """How many alerts the search has had (`used`) of its `allowed` ones on the posting's event-time `day`."""

    day: int
    used: int
    allowed: int

    @property
    def passed(self) -> bool:
        """Whether there is room for one more."""
        return self.used < self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything that decides whether one pair alerts; steps that were not reached are None or empty.

    `opening`: whether the posting's present opening is its first (`new`) or not (`reopened`); None if it is not open.
    `ledger`: the entry that holds this opening's alert. `quota`: None for a search without top-k.
    `cut`: the newest request of this opening that left the pair out, under overload.
    `fate` is what the alert consumer would do with the pair now, `why` says it in a sentence. It is NOT_SCORED for a
    pair that passes and was left out: it alerts when another request scores it. Of `terms` and `meaning` only the one
    is there by which the pair is matched.
    """

    search: SavedSearch
    posting_id: str
    record: FeatureRecord | None
    description: str | None
    filters: tuple[FilterCheck, ...]
    terms: TermCheck | None
    score: ScoreCheck | None
    alert_id: str | None
    ledger: LedgerEntry | None
    quota: QuotaCheck | None
    fate: Fate
    why: str
    opening: Reason | None = None
    cut: Cut | None = None
    meaning: MeaningCheck | None = None


class Explainer:
    """Asks the store, the ranker and the ledger about pairs; changes nothing but the score cache.

    `query_vector`: makes the vector that the matcher compares with those of postings; None where it has no embedder. It
    is called only for a posting with a vector.
    """

    def __init__(
        self,
        features: FeatureStore,
        scorer: CachedScorer,
        ledger: AlertLedger,
        *,
        prompter: Prompter | None = None,
        cuts: CutNotes | None = None,
        query_vector: Callable[[SavedSearch], QueryVector | None] | None = None,
        deadline_s: float = 30.0,
    ) -> None:
        self._features = features
        self._scorer = scorer
        self._ledger = ledger
        self._prompter, self._cuts, self._query_vector = prompter, cuts, query_vector
        self._deadline_s = deadline_s

    def explain(self, search: SavedSearch, posting_id: str) -> Explanation:
        """Explain the pair in its present state; raises StoreError, ModelUnavailable and BrokersUnavailable."""
        (record,) = self._features.get_many([posting_id])
        (text,) = self._features.texts([posting_id])
        query = self._query_vector(search) if self._query_vector and record and record.vector else None
        fate = fate_of(search, 0, record, query)
        meaning = None if record is None else _meaning(query, record)
        score, refusal = None, ""
        if record is not None and fate is Fate.ALERTED:
            try:
                score = self._score(search, record)
            except ModelRejected as error:
                fate, refusal = Fate.REJECTED, str(error)
        name = None if record is None else alert_id(search.search_id, posting_id, record.episode)
        entry = None if name is None else self._ledger.entries([name])[0]
        quota = None if record is None else self._quota(search, record)
        if score is not None and name is not None:
            fate = _scored_fate(score, entry is not None and self._ledger.was_sent(name, entry), quota)
        cut = None if name is None or self._cuts is None else self._cuts.get(name)
        if cut is not None and fate is Fate.ALERTED:
            fate = Fate.NOT_SCORED
        return Explanation(
            search=search,
            posting_id=posting_id,
            record=record,
            description=text.description if text is not None else None,
            filters=() if record is None else tuple(filter_checks(search, record)),
            terms=None if record is None or meaning is not None else _terms(search, record),
            meaning=meaning,
            score=score,
            alert_id=name,
            ledger=entry,
            quota=quota,
            fate=fate,
            why=_not_scored(cut) if cut and fate is Fate.NOT_SCORED else _why(fate, record, refusal),
            opening=None if record is None or record.state is not State.OPEN else opening_reason(record),
            cut=cut,
        )

    def _quota(self, search: SavedSearch, record: FeatureRecord) -> QuotaCheck | None:
        if not search.top_k:
            return None
        day = day_of(record.version)
        used = self._ledger.quota_used(search.search_id, day)
        return QuotaCheck(day=day, used=used, allowed=search.top_k)

    def _score(self, search: SavedSearch, record: FeatureRecord) -> ScoreCheck:
        item = item_of(record)
        (cached,) = self._scorer.peek_many(search.query, [item])
        (p_yes,) = self._scorer.score_many(search.query, [item], self._deadline_s)
        tokens = None
        if self._prompter is not None:
            (item_ids,) = self._prompter.item_ids_many([item])
            tokens = len(self._prompter.prefix_ids(search.query)) + len(item_ids)
        return ScoreCheck(
            prompt=query_text(search.query) + item_text(item) + SUFFIX,
            tokens=tokens,
            p_yes=p_yes,
            threshold=search.threshold,
            cached=cached is not None,
            model=self._scorer.model,
        )


def _scored_fate(score: ScoreCheck, sent: bool, quota: QuotaCheck | None) -> Fate:
    if score.p_yes < score.threshold:
        return Fate.BELOW_THRESHOLD
    if sent:
        return Fate.SUPPRESSED
    return Fate.ALERTED if quota is None or quota.passed else Fate.OVER_QUOTA


def _terms(search: SavedSearch, record: FeatureRecord) -> TermCheck:
    wanted, needed = query_terms(search.query)
    found = wanted & feature_terms(record)
    return TermCheck(found=tuple(sorted(found)), missing=tuple(sorted(wanted - found)), needed=needed)


def _meaning(query: QueryVector | None, record: FeatureRecord) -> MeaningCheck | None:
    if query is None or not comparable(query, record):
        return None
    return MeaningCheck(model=query.model, similarity=similarity(query, record), needed=query.threshold)


def _not_scored(cut: Cut) -> str:
    return (
        f"not scored: depth {cut.depth}; under overload its request left it out, at place {cut.place} of "
        f"{cut.candidates} candidates by words; it passes now, and alerts when the posting or the search changes"
    )


def _why(fate: Fate, record: FeatureRecord | None, refusal: str) -> str:
    if fate is Fate.REJECTED:
        return f"the model refuses this posting, whose score request becomes a dead letter: {refusal}"
    if record is None:
        return "the store has no such posting: its update has not been processed, or the id is wrong"
    if fate is Fate.FILTERED and not has_content(record):
        return "the posting is open but has no content: it has not come yet, or was removed"
    return _WHY.get(fate, "the posting's present text has no summary yet: it waits for the summarizer")
