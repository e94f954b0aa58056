"""Summaries of an older generation are replaced from the texts in the store, while a stream goes on writing."""

from collections.abc import Callable, Sequence

import pytest

from models.summarizer import InstantSummarizer, Summary, SummaryFailure, SummaryRejected, SummaryUnavailable
from pipeline.featurize import Featurizer
from pipeline.refresh import Refresher, is_old, served_generation
from schemas.errors import ModelRejected, ModelUnavailable
from schemas.records import FeatureRecord, Op
from storage.features import FeatureStore
from tests.pipeline.builders import content, feature, memory_kv, rows, update

OLD, NEW = InstantSummarizer("instant@1"), InstantSummarizer("instant@2")


class Meanwhile:
    """A summarizer that calls `happens` during its first call, as another writer would act meanwhile."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self._happens = [happens]

    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        while self._happens:
            self._happens.pop()()
        return NEW.summarize_many(texts, deadline_s)


class Says:
    def __init__(self, answer: SummaryFailure) -> None:
        self._answer = answer

    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        del deadline_s
        return [self._answer] * len(texts)


def filled() -> FeatureStore:
    _, store = memory_kv()
    events = [
        update("p1", 1, Op.ADD, content("Nurse", "Nights on a ward.")),
        update("p2", 1, Op.ADD, content("Cook", "Days in a kitchen.")),
        update("p3", 1, Op.ADD, content("Clerk", "")),
        update("p4", 1, Op.ADD, content("Driver", "A van.")),
        update("p4", 2, Op.REMOVE),
    ]
    Featurizer(store, OLD).featurize(rows(events))
    return store


def models(store: FeatureStore) -> dict[str, str]:
    return {record.posting_id: record.model for record in store.scan()}


def test_texts_get_a_summary_of_the_new_generation_and_nothing_else_changes() -> None:
    store = filled()
    before = {r.posting_id: (r.version, r.state, r.content_version, r.summary) for r in store.scan()}
    made = Refresher(store, NEW, deadline_s=1.0).refresh(["p1", "p2", "p3", "p4", "none"], 2)
    assert models(store) == {"p1": "instant@2", "p2": "instant@2", "p3": "", "p4": ""}
    assert {r.posting_id: (r.version, r.state, r.content_version, r.summary) for r in store.scan()} == before
    assert {i for i, record in made.items() if isinstance(record, FeatureRecord)} == {"p1", "p2", "p3", "p4"}


def test_a_posting_that_a_stream_changes_meanwhile_is_refreshed_as_it_then_is() -> None:
    store = filled()
    stream = Featurizer(store, OLD)
    other = update("p1", 5, Op.UPDATE, content("Nurse", "Nights on a ward.", location="Leeds"))
    text = update("p2", 5, Op.UPDATE, content("Cook", "Nights in a kitchen."))
    meanwhile = Meanwhile(lambda: stream.featurize(rows([other, text])))
    Refresher(store, meanwhile, deadline_s=1.0).refresh(["p1", "p2"], 2)
    p1, p2 = store.get_many(["p1", "p2"])
    assert p1 is not None
    assert p2 is not None
    assert (p1.location, p1.model, p2.summary, p2.model) == (
        "Leeds",
        "instant@2",
        "Nights in a kitchen.",
        "instant@2",
    )


def test_poison_and_a_server_of_an_older_generation_are_reasons_and_the_old_summary_stays() -> None:
    store = filled()
    poison = Refresher(store, Says(SummaryRejected(reason="no")), deadline_s=1.0).refresh(["p1"], 2)
    older = Refresher(store, OLD, deadline_s=1.0).refresh(["p1"], 2)
    assert poison == {"p1": "summarizer: no"}
    assert "another" in str(older["p1"])
    assert models(store)["p1"] == "instant@1"


def test_an_outage_is_raised_after_what_came_was_written() -> None:
    class Half:
        def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
            return [
                *NEW.summarize_many(texts[:1], deadline_s),
                *[SummaryUnavailable(reason="down")] * (len(texts) - 1),
            ]

    store = filled()
    with pytest.raises(ModelUnavailable):
        Refresher(store, Half(), deadline_s=1.0).refresh(["p1", "p2"], 2)
    assert models(store)["p1"] == "instant@2"
    assert models(store)["p2"] == "instant@1"


def test_the_generation_that_answers_is_asked_for() -> None:
    assert served_generation(InstantSummarizer("summarizer@7"), 1.0) == 7
    with pytest.raises(ModelUnavailable):
        served_generation(Says(SummaryUnavailable(reason="down")), 1.0)
    with pytest.raises(ModelRejected):
        served_generation(Says(SummaryRejected(reason="no")), 1.0)


@pytest.mark.parametrize(
    ("record", "old"),
    [
        (feature(), True),
        (feature(generation=2), False),
        (feature(generation=3), False),
        (feature(summary_hash=b"", generation=9), True),
        (feature(model="", generation=0), False),
        (feature(content_version=-1), False),
        (feature(generation=2, text_rules=0), True),
    ],
)
def test_old_is_a_text_that_older_rules_cleaned_that_waits_or_has_a_summary_of_an_older_generation(
    record: FeatureRecord, old: bool
) -> None:
    assert is_old(record, 2) is old
