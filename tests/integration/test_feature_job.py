"""The feature job on a real cluster: one outcome for each source offset, the store as a sequential fold leaves it."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from models.client.http import ClientConfig
from models.client.remote import HttpSummarizer
from models.prompts import Prompter
from models.summarizer import InstantSummarizer, Summarizer
from nearline.stack.services import model_server
from nearline.stack.settings import StackSettings
from pipeline.featurize import Featurizer, SourceRow
from schemas.codec import decode
from schemas.records import FeatureRecord, Outcome
from storage.features import FeatureStore
from storage.memory import MemoryStore
from storage.opening import open_store
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import FEATURES
from streaming.kafka.whole_topic import scan
from streaming.tools import dead_letters
from streaming.tools.observer import Observer
from tests.integration.flink_stage import Cluster, Stream, cluster, running_job, send, troubled_stream
from tests.integration.kafka_stage import fresh_topics
from tests.support.tiny import byte_level_tokenizer, write_tokenizer

# a cluster and two submissions take a minute on an idle machine, several on a starved one
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


#: Several attempts of a batch long.
OUTAGE_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A troubled stream that went through the job, and all that came out."""

    stream: Stream
    outcomes: list[Outcome]
    letters: list[dead_letters.StoredLetter]
    replays: list[dead_letters.SentBack]
    sent: list[FeatureRecord]
    stored: list[FeatureRecord]


@pytest.fixture(scope="module")
def flink(stack_settings: StackSettings) -> Iterator[Cluster]:
    with cluster(replace(stack_settings, models="instant", parallelism=2)) as made:
        yield made


@pytest.fixture(scope="module")
def run(flink: Cluster, broker_address: KafkaSettings, tmp_path_factory: pytest.TempPathFactory) -> Run:
    kafka, store = broker_address, tmp_path_factory.mktemp("run") / "store"
    fresh_topics(kafka)
    stream = troubled_stream(random.Random(7), postings=150, events=3000)
    with running_job(flink.settings, store):
        outcomes = observe(kafka, send(kafka, stream))
        letters = list(dead_letters.letters(kafka))
        sent = [decode(FeatureRecord, m.value or b"") for batch in scan(kafka, FEATURES.name) for m in batch]
        replays = [dead_letters.replay(kafka, last=letters[-1].offset) for _ in range(2)]
    return Run(
        stream=stream, outcomes=outcomes, letters=letters, replays=replays, sent=sent, stored=stored(store)
    )


def test_every_update_has_the_outcome_that_a_sequential_fold_gives_it(run: Run) -> None:
    assert run.outcomes == folded(run.stream)[0]


def test_the_store_is_what_a_sequential_fold_leaves(run: Run) -> None:
    assert run.stored == folded(run.stream)[1]


def test_the_last_record_sent_of_each_posting_is_the_stores(run: Run) -> None:
    assert run.sent
    assert {r.posting_id: r for r in run.sent} == {r.posting_id: r for r in run.stored}


def test_poison_leaves_with_its_bytes_and_a_reason(run: Run) -> None:
    pairs = zip(run.stream, run.outcomes, strict=True)
    dead = sorted(value or b"" for (_, value), outcome in pairs if outcome is Outcome.DEAD_LETTERS)
    assert dead
    assert sorted(found.letter.value for found in run.letters) == dead
    assert all(found.letter.reason for found in run.letters)


def test_a_replay_sends_each_dead_letter_back_once(run: Run) -> None:
    assert run.letters
    assert run.replays == [
        dead_letters.SentBack(len(run.letters), 0, 0),
        dead_letters.SentBack(0, len(run.letters), 0),
    ]


def test_a_killed_taskmanager_loses_nothing(
    flink: Cluster, broker_address: KafkaSettings, tmp_path: Path
) -> None:
    fresh_topics(broker_address)
    stream = troubled_stream(random.Random(9), postings=200, events=4000)
    with running_job(flink.settings, tmp_path / "store", "--checkpoint-s", "1", "--batch-size", "50"):
        places = send(broker_address, stream[:2000])
        flink.kill_taskmanager()
        places += send(broker_address, stream[2000:])
        observe(broker_address, places)
    assert stored(tmp_path / "store") == folded(stream)[1]


def test_an_absent_model_server_costs_time_only(
    flink: Cluster, broker_address: KafkaSettings, tmp_path: Path
) -> None:
    fresh_topics(broker_address)
    tokenizer = write_tokenizer(tmp_path / "tokenizer", byte_level_tokenizer())
    settings = replace(
        flink.settings, models="instant-server", ranker_dir=tokenizer, summarizer_dir=tokenizer
    )
    stream = troubled_stream(random.Random(10), postings=100, events=400)
    with running_job(settings, tmp_path / "store"):
        places = send(broker_address, stream)
        time.sleep(OUTAGE_S)
        assert flink.failures() == []
        flink.start(model_server(settings))
        outcomes = observe(broker_address, places)
        prompter = Prompter.from_dir(tokenizer)
        with closing(HttpSummarizer(settings.models_url, prompter, ClientConfig())) as summarizer:
            undisturbed, records = folded(stream, summarizer)
    dead = [outcome is Outcome.DEAD_LETTERS for outcome in undisturbed]
    assert [outcome is Outcome.DEAD_LETTERS for outcome in outcomes] == dead
    assert stored(tmp_path / "store") == records


def folded(stream: Stream, summarizer: Summarizer | None = None) -> tuple[list[Outcome], list[FeatureRecord]]:
    """One by one, in one process: the outcomes and the records at the end."""
    store = FeatureStore(MemoryStore(time.time))
    featurizer = Featurizer(store, summarizer or InstantSummarizer())
    rows = [[SourceRow(value or b"", "t", 0, n, n)] for n, (_, value) in enumerate(stream)]
    outcomes = [featurizer.featurize(row)[0].outcome for row in rows]
    return outcomes, list(store.scan())


def stored(path: Path) -> list[FeatureRecord]:
    """Everything in the job's store."""
    with closing(open_store(f"lmdb://{path}?map_size=64M")) as kv:
        return list(FeatureStore(kv).scan())


def observe(kafka: KafkaSettings, places: Sequence[str], timeout_s: float = 300.0) -> list[Outcome]:
    """The first outcome of each source place, once all are there."""
    with closing(Observer(kafka)) as observer:
        deadline = time.monotonic() + timeout_s
        while not observer.seen.outcomes.keys() >= set(places):
            assert time.monotonic() < deadline, f"{len(observer.seen.outcomes)} outcomes of {len(places)}"
            observer.poll()
        assert observer.seen.outcomes.keys() == set(places)
        return [observer.seen.outcomes[place] for place in places]
