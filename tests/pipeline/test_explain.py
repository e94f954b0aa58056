"""`explain` names the step that decided about a pair, and shows that step's input."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from models.embedder import HashingEmbedder
from models.prompts import Item, Prompter
from models.summarizer import InstantSummarizer
from pipeline.alert import AlertStep, Fate, Located
from pipeline.embedding import VectorMaker
from pipeline.explain import Explainer, Explanation, QuotaCheck
from pipeline.featurize import Featurizer
from pipeline.percolation.meaning import QueryVector
from pipeline.scoring.cached import CachedScorer
from schemas.errors import ModelRejected
from schemas.records import Candidate, Op, SavedSearch, ScoreRequest
from storage.claims import Claim
from storage.cuts import CutNotes
from storage.ledger import AlertLedger
from storage.ledger_entry import Sent
from storage.scores import ScoreCache
from tests.pipeline.builders import TableRanker, content, memory_kv, rows, search, update


class RefusingRanker(TableRanker):
    def __init__(self) -> None:
        super().__init__({})

    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        raise ModelRejected(f"the prompt is too long: {query}, {len(items)} items, {deadline_s} s")


class World:
    def __init__(self, vectors: VectorMaker | None = None) -> None:
        kv, self.features = memory_kv()
        self.ranker = TableRanker({"Welder": 0.2})
        self.scorer = CachedScorer(self.ranker, ScoreCache(kv))
        self.ledger = AlertLedger(kv)
        self.cuts = CutNotes(kv)
        events = [
            update("nurse", 1, Op.ADD, content("Nurse", "nights on a ward", location="Oslo")),
            update("welder", 1, Op.ADD, content("Welder", "nights in a yard")),
            update("gone", 1, Op.ADD, content("Nurse", "gone")),
            update("gone", 2, Op.CLOSE),
            update("bare", 1, Op.OPEN),
        ]
        Featurizer(self.features, InstantSummarizer(), vectors=vectors).featurize(rows(events))

    def explain(
        self,
        wanted: SavedSearch,
        posting_id: str,
        prompter: Prompter | None = None,
        query_vector: Callable[[SavedSearch], QueryVector | None] | None = None,
    ) -> Explanation:
        parts = self.features, self.scorer, self.ledger
        made = Explainer(*parts, prompter=prompter, cuts=self.cuts, query_vector=query_vector)
        return made.explain(wanted, posting_id)


def test_a_pair_that_would_alert_shows_prompt_score_and_an_empty_ledger() -> None:
    world = World()
    seen = world.explain(search("night nurse"), "nurse")
    assert seen.fate is Fate.ALERTED
    assert seen.score is not None
    assert (seen.score.p_yes, seen.score.cached, seen.score.model, seen.score.tokens) == (
        0.9,
        False,
        "table@1",
        None,
    )
    assert "night nurse" in seen.score.prompt
    assert "Oslo" in seen.score.prompt
    assert (seen.ledger, seen.description) == (None, "nights on a ward")
    assert world.explain(search("night nurse"), "nurse").score != seen.score, "the second time it is cached"


def test_explaining_does_not_change_what_will_alert() -> None:
    world = World()
    world.explain(search("nurse"), "nurse")
    request = ScoreRequest(
        search=search("nurse"),
        candidates=(Candidate(posting_id="nurse", version=1, updated_ms=0),),
        created_ms=0,
    )
    step = AlertStep(world.features, world.scorer, world.ledger)
    (alert,) = step.run([Located(request=request, partition=2, offset=8)]).alerts
    claimed = world.explain(search("nurse"), "nurse")
    assert claimed.ledger is not None
    assert (claimed.fate, claimed.ledger.sent) == (Fate.ALERTED, Sent.CLAIMED)
    step.transacted([alert], committed=True)
    seen = world.explain(search("nurse"), "nurse")
    assert (seen.fate, seen.alert_id) == (Fate.SUPPRESSED, alert.alert_id)
    assert seen.ledger is not None
    assert (seen.ledger.partition, seen.ledger.offset, seen.ledger.sent) == (2, 8, Sent.SENT)
    assert seen.score is not None
    assert seen.score.cached


def test_a_posting_that_the_model_refuses_has_the_fate_rejected_with_the_models_words() -> None:
    world = World()
    world.scorer = CachedScorer(RefusingRanker(), ScoreCache(memory_kv()[0]))
    seen = world.explain(search("nurse"), "nurse")
    assert (seen.fate, seen.score) == (Fate.REJECTED, None)
    assert "prompt is too long" in seen.why


def test_the_quota_of_the_postings_day_is_shown_and_a_full_one_decides() -> None:
    world = World()
    wanted = search("nurse", top_k=1)
    before = world.explain(wanted, "nurse")
    assert (before.fate, before.quota) == (Fate.ALERTED, QuotaCheck(day=0, used=0, allowed=1))
    world.ledger.settle_many(
        [
            Claim(
                alert_id="0" * 32,
                search_id=wanted.search_id,
                partition=0,
                offset=1,
                passes=True,
                day=0,
                top_k=1,
            )
        ]
    )
    full = world.explain(wanted, "nurse")
    assert (full.fate, full.quota) == (Fate.OVER_QUOTA, QuotaCheck(day=0, used=1, allowed=1))
    assert world.explain(search("nurse"), "nurse").quota is None


def test_a_failed_filter_is_named_and_the_others_pass() -> None:
    seen = World().explain(search("nurse", location="Paris", remote=True), "nurse")
    assert (seen.fate, seen.score) == (Fate.FILTERED, None)
    assert [check.name for check in seen.filters if not check.passed] == ["location"]
    assert seen.terms is not None
    assert seen.terms.passed


def test_missing_terms_are_listed() -> None:
    seen = World().explain(search("night surgeon theatre"), "nurse")
    assert seen.terms is not None
    assert (seen.fate, seen.terms.found, seen.terms.needed) == (Fate.FILTERED, ("night",), 2)
    assert set(seen.terms.missing) == {"surgeon", "theatr"}


@pytest.mark.parametrize(("needed", "fate"), [(-1.0, Fate.ALERTED), (1.0, Fate.FILTERED)])
def test_where_vectors_can_be_compared_they_decide_and_are_shown(needed: float, fate: Fate) -> None:
    embedder = HashingEmbedder(16)

    def vector(wanted: SavedSearch) -> QueryVector:
        (made,) = embedder.embed_queries([wanted.query], 1.0)
        return QueryVector(model=embedder.model, vector=made, threshold=needed)

    world = World(VectorMaker(embedder))
    seen = world.explain(search("carer for the elderly"), "nurse", query_vector=vector)
    assert seen.meaning is not None
    assert (seen.fate, seen.meaning.passed, seen.meaning.needed) == (fate, needed < 0, needed)
    assert seen.terms is None


def test_a_posting_without_a_vector_is_explained_by_its_words_and_no_vector_is_made() -> None:
    def vector(wanted: SavedSearch) -> QueryVector:
        pytest.fail(f"a vector of {wanted.query} was made")

    seen = World().explain(search("carer"), "nurse", query_vector=vector)
    assert (seen.fate, seen.meaning) == (Fate.FILTERED, None)
    assert seen.terms is not None


def test_a_low_score_stands_beside_its_threshold() -> None:
    seen = World().explain(search("welder"), "welder")
    assert seen.score is not None
    assert (seen.fate, seen.score.p_yes, seen.score.threshold) == (Fate.BELOW_THRESHOLD, 0.2, 0.5)


def test_closed_unknown_and_empty_postings_say_so_without_asking_the_ranker() -> None:
    world = World()
    assert world.explain(search("nurse"), "gone").fate is Fate.NOT_OPEN
    unknown = world.explain(search("nurse"), "never seen")
    assert (unknown.fate, unknown.record, unknown.terms) == (Fate.DEFERRED, None, None)
    assert "no such posting" in unknown.why
    bare = world.explain(search(""), "bare")
    assert (bare.fate, bare.score) == (Fate.FILTERED, None)
    assert "no content" in bare.why
    assert world.ranker.calls == []


def test_with_a_tokenizer_the_prompt_is_counted_as_the_engine_would() -> None:
    words = {word: n for n, word in enumerate(["[UNK]", "yes", "no", "nurse"])}
    tokenizer = Tokenizer(WordLevel(dict(words), "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    prompter = Prompter(tokenizer)
    seen = World().explain(search("nurse"), "nurse", prompter)
    assert seen.score is not None
    (tokens,) = prompter.count_many([seen.score.prompt])
    assert seen.score.tokens == tokens > 10


def test_a_pair_that_was_left_out_under_overload_is_told_by_its_depth() -> None:
    world = World()
    ids = ("nurse", "welder")
    request = ScoreRequest(
        search=search("nights", search_id="wide"),
        candidates=tuple(Candidate(posting_id=one, version=1, updated_ms=0) for one in ids),
        created_ms=0,
    )
    step = AlertStep(world.features, world.scorer, world.ledger, cuts=world.cuts, utc_s=lambda: 86_400.0)
    batch = step.run([Located(request=request, partition=0, offset=0)], 1)
    assert batch.fates[Fate.NOT_SCORED] == 1
    assert batch.fates.total() == 2
    (left_out,) = {one for one in ids if world.explain(search("nights", search_id="wide"), one).cut}
    seen = world.explain(search("nights", search_id="wide", threshold=0.1), left_out)
    assert seen.fate is Fate.NOT_SCORED
    assert seen.why.startswith("not scored: depth 1;")
    assert seen.cut is not None
    assert (seen.cut.depth, seen.cut.place, seen.cut.candidates) == (1, 2, 2)
    # scored by a later request, the pair alerts
    later = step.run([Located(request=replace(request, search=seen.search), partition=0, offset=1)])
    step.transacted(later.alerts, committed=True)
    assert world.explain(seen.search, left_out).fate is Fate.SUPPRESSED
