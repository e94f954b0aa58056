"""The alert step: docs/semantics.md#alerts on thresholds, quotas, the ledger and postings that changed meanwhile."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from models.prompts import Item
from models.summarizer import InstantSummarizer
from pipeline.alert import AlertSettings, AlertStep, Fate, Located
from pipeline.featurize import Featurizer
from pipeline.scoring.cached import CachedScorer
from schemas.errors import ModelUnavailable
from schemas.keys import US_PER_DAY
from schemas.records import Candidate, Op, PostingUpdate, SavedSearch, ScoreRequest
from storage.ledger import AlertLedger
from storage.scores import ScoreCache
from tests.pipeline.builders import FlakySummarizer, TableRanker, content, memory_kv, rows, search, update


class World:
    """One store with features, scores and ledger, and a step over it."""

    def __init__(self, scores: dict[str, float] | None = None) -> None:
        self.kv, self.features = memory_kv()
        self.ranker = TableRanker(scores)
        self.step = AlertStep(self.features, self.ranker, AlertLedger(self.kv))

    def write(self, *events: PostingUpdate) -> None:
        Featurizer(self.features, InstantSummarizer()).featurize(rows(events))

    def add(self, *names: str, version: int = 1) -> None:
        self.write(*(update(name, version, Op.ADD, content(f"Nurse {name}", "a ward")) for name in names))


def request(offset: int, *names: str, wanted: SavedSearch | None = None, version: int = 1) -> Located:
    candidates = tuple(Candidate(posting_id=name, version=version, updated_ms=5) for name in names)
    asked = ScoreRequest(search=wanted or search("nurse"), candidates=candidates, created_ms=9)
    return Located(request=asked, partition=0, offset=offset)


def names(world: World, *requests: Located) -> list[str]:
    """The postings that alert, in a transaction that commits."""
    alerts = world.step.run(requests).alerts
    world.step.transacted(alerts, committed=True)
    return [alert.posting_id for alert in alerts]


def test_an_alert_says_what_passed_and_when_its_update_came() -> None:
    world = World({"Nurse p": 0.75})
    world.add("p", version=7)
    (alert,) = world.step.run([request(0, "p", version=7)]).alerts
    assert (alert.search_id, alert.posting_id, alert.version, alert.episode) == ("s1", "p", 7, 7)
    assert (alert.p_yes, alert.model, alert.updated_ms, alert.title) == (0.75, "table@1", 5, "Nurse p")


def test_a_score_at_the_threshold_passes_and_one_below_does_not() -> None:
    world = World({"Nurse at": 0.6, "Nurse under": 0.5999})
    world.add("at", "under")
    batch = world.step.run([request(0, "at", "under", wanted=search("nurse", threshold=0.6))])
    assert [alert.posting_id for alert in batch.alerts] == ["at"]
    assert batch.fates == {Fate.ALERTED: 1, Fate.BELOW_THRESHOLD: 1}


def test_a_pair_alerts_once_an_opening_whatever_request_names_it_again() -> None:
    world = World()
    world.add("p")
    assert names(world, request(0, "p")) == ["p"]
    assert world.step.run([request(1, "p")]).fates == {Fate.SUPPRESSED: 1}
    world.write(update("p", 2, Op.CLOSE), update("p", 3, Op.OPEN))
    assert names(world, request(2, "p")) == ["p"]


def test_a_pair_named_twice_in_one_poll_alerts_once() -> None:
    world = World()
    world.add("p")
    assert names(world, request(0, "p", "p"), request(1, "p")) == ["p"]


def test_a_redelivered_request_sends_its_alert_again() -> None:
    """As after a crash between the ledger's write and the transaction's commit."""
    world = World()
    world.add("p")
    first = world.step.run([request(4, "p")]).alerts
    assert world.step.run([request(4, "p")]).alerts == first


def test_a_redelivered_request_that_no_longer_passes_releases_its_claim_for_a_later_one() -> None:
    world = World({"Nurse p": 0.9})
    world.add("p")
    assert len(world.step.run([request(4, "p")]).alerts) == 1, "cut off before its transaction"
    world.ranker.scores["Nurse p"] = 0.1
    assert names(world, request(4, "p")) == []
    world.ranker.scores["Nurse p"] = 0.9
    assert names(world, request(5, "p")) == ["p"]


def test_a_later_request_that_does_not_pass_keeps_the_claim_of_the_one_that_sent() -> None:
    world = World({"Nurse p": 0.9})
    world.add("p")
    names(world, request(4, "p"))
    world.ranker.scores["Nurse p"] = 0.1
    names(world, request(5, "p"))
    world.ranker.scores["Nurse p"] = 0.9
    assert names(world, request(6, "p")) == []


@pytest.mark.parametrize(
    ("change", "fate"),
    [
        (lambda world: world.write(update("p", 2, Op.CLOSE)), Fate.NOT_OPEN),
        (lambda world: world.write(update("p", 2, Op.REMOVE)), Fate.NOT_OPEN),
        (lambda world: world.write(update("p", 2, Op.UPDATE, content("Welder", "a yard"))), Fate.FILTERED),
        (
            lambda world: world.write(
                update("p", 2, Op.UPDATE, content("Nurse", "a ward", location="Leeds"))
            ),
            Fate.FILTERED,
        ),
    ],
)
def test_a_posting_that_changed_since_it_matched_is_judged_as_it_is_now(
    change: Callable[[World], None], fate: Fate
) -> None:
    world = World()
    world.add("p")
    wanted = search("nurse", location="Oslo")
    assert len(world.step.run([request(0, "p", wanted=wanted)]).alerts) == 1, "cut off before its transaction"
    change(world)
    assert world.step.run([request(0, "p", wanted=wanted)]).fates == {fate: 1}
    assert not any(AlertLedger(world.kv).entries([alert_id(world)])), "the claim of request 0 is released"


def alert_id(world: World) -> str:
    from schemas.keys import alert_id as name

    (record,) = world.features.get_many(["p"])
    assert record is not None
    return name("s1", "p", record.episode)


def test_what_the_store_does_not_have_yet_is_deferred_and_asked_again_alone() -> None:
    world = World()
    world.add("here")
    world.add("old")
    with pytest.raises(ModelUnavailable):
        Featurizer(world.features, FlakySummarizer(down={"text"})).featurize(
            rows([update("pending", 1, Op.ADD, content("Nurse", "text"))])
        )
    versions = {"here": 1, "old": 2, "pending": 1, "unknown": 1}
    asked = request(3, *versions)
    asked = replace(
        asked,
        request=replace(
            asked.request,
            candidates=tuple(replace(c, version=versions[c.posting_id]) for c in asked.request.candidates),
        ),
    )
    batch = world.step.run([asked])
    assert [alert.posting_id for alert in batch.alerts] == ["here"]
    (again,) = batch.deferred
    assert [candidate.posting_id for candidate in again.request.candidates] == ["old", "pending", "unknown"]
    assert (again.partition, again.offset, again.request.search) == (0, 3, asked.request.search)
    world.write(update("pending", 1, Op.ADD, content("Nurse", "text")))
    world.add("unknown")
    world.add("old", version=2)
    assert names(world, again) == ["old", "pending", "unknown"]


def test_an_open_posting_without_content_is_neither_scored_nor_waited_for() -> None:
    world = World()
    world.add("p")
    world.write(update("p", 2, Op.REMOVE), update("p", 3, Op.OPEN))
    asked = request(0, "p", wanted=search(""), version=1)
    batch = world.step.run([asked])
    assert (batch.fates, batch.deferred, world.ranker.calls) == ({Fate.FILTERED: 1}, [], [])
    world.write(update("p", 4, Op.UPDATE, content("Nurse p", "a ward")))
    assert names(world, request(1, "p", wanted=search(""), version=4)) == ["p"]


def test_top_k_is_per_search_and_event_time_day_and_takes_the_best_of_a_request() -> None:
    world = World({"Nurse a": 0.7, "Nurse b": 0.9, "Nurse c": 0.8})
    wanted = search("nurse", top_k=2)
    world.add("a", "b", "c", version=1)
    batch = world.step.run([request(0, "a", "b", "c", wanted=wanted)])
    assert sorted(alert.posting_id for alert in batch.alerts) == ["b", "c"]
    assert batch.fates == {Fate.ALERTED: 2, Fate.OVER_QUOTA: 1}
    world.add("next", version=US_PER_DAY)
    assert names(world, request(1, "next", wanted=wanted, version=US_PER_DAY)) == ["next"]
    world.add("late", version=2)
    assert names(world, request(2, "late", wanted=wanted)) == []
    assert names(world, request(3, "late", wanted=replace(wanted, search_id="s2"))) == ["late"]


def test_a_redelivered_request_gets_the_quota_that_it_had() -> None:
    world = World()
    wanted = search("nurse", top_k=1)
    world.add("a", "b")
    first = world.step.run([request(0, "a", "b", wanted=wanted)]).alerts
    assert len(first) == 1
    assert world.step.run([request(0, "a", "b", wanted=wanted)]).alerts == first


def test_each_query_is_one_call_with_each_posting_once() -> None:
    world = World()
    world.add("a", "b", "c")
    other = search("nurse", search_id="s2")
    batch = world.step.run(
        [
            request(0, "a", "b"),
            request(1, "b", "c", wanted=other),
            request(2, "a", wanted=search("ward", search_id="s3")),
        ]
    )
    assert len(batch.alerts) == 5
    assert world.ranker.calls == [("nurse", ["Nurse a", "Nurse b", "Nurse c"]), ("ward", ["Nurse a"])]


def test_a_poisonous_item_is_rejected_alone() -> None:
    world = World()
    everyone = [f"{n}" for n in range(9)]
    world.add(*everyone)
    world.ranker.poison = {"Nurse 6"}
    batch = world.step.run([request(0, *everyone)])
    assert {alert.posting_id for alert in batch.alerts} == set(everyone) - {"6"}
    ((rejected, reason),) = batch.rejected
    assert [candidate.posting_id for candidate in rejected.request.candidates] == ["6"]
    assert "poisonous" in reason
    assert batch.fates == {Fate.ALERTED: 8, Fate.REJECTED: 1}


def test_a_step_out_of_time_claims_nothing() -> None:
    world = World()
    world.add("p")
    ticks = iter([0.0, 51.0])
    late = AlertStep(
        world.features,
        world.ranker,
        AlertLedger(world.kv),
        AlertSettings(deadline_s=50.0),
        monotonic=lambda: next(ticks),
    )
    with pytest.raises(ModelUnavailable):
        late.run([request(0, "p")])
    assert names(world, request(1, "p")) == ["p"]


def test_ten_thousand_ids_known_and_unknown_all_have_a_fate() -> None:
    world = World()
    world.add(*(f"k{n}" for n in range(500)))
    ids = [f"k{n}" for n in range(500)] + [f"u{n}" for n in range(9_500)]
    batch = world.step.run([request(0, *ids)])
    assert batch.fates == {Fate.ALERTED: 500, Fate.DEFERRED: 9_500}
    assert len(batch.deferred[0].request.candidates) == 9_500


def test_a_request_without_candidates_and_a_step_without_requests_do_nothing() -> None:
    world = World()
    for batch in (world.step.run([]), world.step.run([request(0)])):
        assert (batch.alerts, batch.deferred, batch.rejected, len(batch.fates)) == ([], [], [], 0)


def cached(world: World) -> CachedScorer:
    return CachedScorer(world.ranker, ScoreCache(world.kv))


def test_a_cached_score_is_not_asked_again_and_a_changed_prompt_is() -> None:
    world = World()
    scorer = cached(world)
    step = AlertStep(world.features, scorer, AlertLedger(world.kv))
    world.add("a", "b")
    step.run([request(0, "a")])
    step.run([request(1, "a", "b")])
    world.write(update("a", 2, Op.UPDATE, content("Nurse a", "a ward", salary="not in the prompt")))
    step.run([request(2, "a")])
    assert [titles for _, titles in world.ranker.calls] == [["Nurse a"], ["Nurse b"]]
    world.write(update("a", 3, Op.UPDATE, content("Nurse a", "a ward", company="In the prompt")))
    step.run([request(3, "a")])
    assert [titles for _, titles in world.ranker.calls[2:]] == [["Nurse a"]]
    assert (scorer.counts()["hits"], scorer.counts()["misses"]) == (2, 3)


def test_scores_of_two_models_never_mix_in_one_answer() -> None:
    world = World({"Nurse a": 0.1, "Nurse b": 0.2})
    scorer = cached(world)
    world.add("a", "b")
    step = AlertStep(world.features, scorer, AlertLedger(world.kv))
    step.run([request(0, "a")])
    world.ranker.renamed = "table@2"
    world.ranker.scores = {"Nurse a": 0.91, "Nurse b": 0.92}
    alerts = step.run([request(1, "a", "b")]).alerts
    assert [(alert.p_yes, alert.model) for alert in alerts] == [(0.91, "table@2"), (0.92, "table@2")]


def test_a_ranker_whose_name_changes_with_every_call_is_asked_twice_and_no_more() -> None:
    world = World()
    world.add("a")
    names_ = iter(range(100))

    class Rolling(TableRanker):
        def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
            self.renamed = f"table@{next(names_)}"
            return super().score_many(query, items, deadline_s)

    world.ranker = Rolling()
    scorer = cached(world)
    step = AlertStep(world.features, scorer, AlertLedger(world.kv))
    assert len(step.run([request(0, "a")]).alerts) == 1
    assert len(world.ranker.calls) == 2
