"""Values on the topics with and without a schema registry, process by process; the store keeps the same bytes."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from models.ranker import LexicalRanker
from pipeline.alert import AlertStep
from pipeline.featurize import SourceRow
from pipeline.percolation.percolator import Percolator
from pipeline.windows import Windows, WindowSettings
from schemas import avro
from schemas.codec import Codec, decode, encode
from schemas.errors import ConfigError, IncompatibleSchema, RegistryUnavailable
from schemas.events import BrokenLine
from schemas.keys import feature_key
from schemas.records import (
    Alert,
    Candidate,
    FeatureRecord,
    Op,
    Outcome,
    PostingUpdate,
    SavedSearch,
    ScoreRequest,
)
from storage.features import FeatureStore
from storage.ledger import AlertLedger
from storage.opening import open_store
from streaming.alerting.loop import RequestLoop
from streaming.alerting.memory_log import MemoryRequests
from streaming.alerting.metrics import ConsumerMetrics
from streaming.features.messages import Row
from streaming.features.settings import FeatureJobSettings
from streaming.features.worker import FeatureWorker
from streaming.kafka import topics
from streaming.kafka.framing import RegistrySettings, open_codec
from streaming.kafka.memory_topic import MemoryTopic
from streaming.kafka.messages import Message, Outgoing
from streaming.kafka.settings import KafkaSettings
from streaming.matching.loop import MatchLoop, MatchLoopSettings
from streaming.matching.memory_log import MemoryFeatures
from streaming.matching.metrics import MatcherMetrics
from streaming.searches.memory_feed import MemorySearchFeed
from streaming.tools.observer import Seen, observe
from streaming.tools.replay import WRITES, search_message, update_message
from tests.pipeline.builders import content
from tests.schemas.registry_server import RegistryServer, serving
from tests.schemas.wire import as_datum, written

MAGIC, SINGLE_OBJECT = b"\x00", b"\xc3\x01"
POSTING = content("Night nurse", "Care for patients at night on the ward of a large hospital.")
ADDED = PostingUpdate(posting_id="p1", version=1, op=Op.ADD, posting=POSTING)
SEARCH = SavedSearch(search_id="s1", query="night nurse", threshold=0.5)


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with serving() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> str:
    return f"lmdb://{tmp_path}/store?sync=os&map_size=16M"


def job(home: str, url: str) -> FeatureJobSettings:
    return FeatureJobSettings(
        kafka=KafkaSettings(), store_url=home, summarizer_url="instant:", registry=RegistrySettings(url=url)
    )


def featurize(settings: FeatureJobSettings, values: list[bytes]) -> list[Row]:
    rows = [SourceRow(value, topics.UPDATES.name, 0, n, 1_000) for n, value in enumerate(values)]
    with closing(FeatureWorker(settings.worker())) as worker:
        return worker.featurize([b"key"] * len(rows), rows)[1]


def match(codec: Codec, home: str, search: Outgoing, features: list[Row], out: list[Outgoing]) -> None:
    """Match until something is out."""
    searches, arrived = MemoryTopic(topics.SEARCHES.name), MemoryTopic(topics.FEATURES.name)
    searches.append(search.value, key=search.key)
    for _, key, value, headers in features:
        arrived.append(value, key=key, headers=dict(headers))
    with closing(open_store(home)) as kv:
        loop = MatchLoop(
            feed=MemorySearchFeed(searches),
            features=MemoryFeatures(arrived, {}, out),
            new_matcher=Percolator,
            windows=Windows(WindowSettings(window_s=0.0)),
            stored=FeatureStore(kv).scan,
            metrics=MatcherMetrics(CollectorRegistry()),
            settings=MatchLoopSettings(commit_s=0.0),
            codec=codec,
        )
        loop.run(lambda: bool(out))


def consume(codec: Codec, home: str, requests: list[Outgoing], turns: int = 1) -> list[Outgoing]:
    topic, out = MemoryTopic(topics.SCORE_REQUESTS.name), list[Outgoing]()
    for request in requests:
        topic.append(request.value, key=request.key)
    with closing(open_store(home)) as kv:
        loop = RequestLoop(
            requests=MemoryRequests(topic, {}, out),
            step=AlertStep(FeatureStore(kv), LexicalRanker(), AlertLedger(kv)),
            metrics=ConsumerMetrics(CollectorRegistry()),
            codec=codec,
        )
        for _ in range(turns):
            loop.turn()
    return out


def stored(home: str) -> bytes:
    with closing(open_store(home)) as kv:
        (value,) = kv.get_many([feature_key("p1")])
    assert value is not None
    return value


@pytest.mark.timeout(30)
def test_with_a_registry_every_topic_carries_confluent_framing_and_the_store_does_not(
    server: RegistryServer, home: str
) -> None:
    registry = RegistrySettings(url=server.url)
    with closing(open_codec(registry, WRITES)) as sender:
        update, search = update_message(ADDED, sender), search_message(SEARCH, sender)
    features = featurize(job(home, server.url), [update.value or b""])
    with closing(open_codec(registry, {ScoreRequest: topics.SCORE_REQUESTS.name})) as matcher:
        requests: list[Outgoing] = []
        match(matcher, home, search, features, requests)
    with closing(open_codec(registry, {Alert: topics.ALERTS.name})) as consumer:
        alerts = consume(consumer, home, requests)
    seen = Seen()
    with closing(open_codec(registry)) as reader:
        for alert in alerts:
            observe(seen, Message(alert.topic, 0, 0, 2_000, alert.key, alert.value), reader)

    values = [update.value, search.value, features[0][2], requests[0].value, alerts[0].value]
    assert [(value or b"")[:1] for value in values] == [MAGIC] * 5
    assert stored(home).startswith(SINGLE_OBJECT)
    assert Codec(server.registry).decode(FeatureRecord, features[0][2] or b"") == decode(
        FeatureRecord, stored(home)
    )
    assert [(a.search_id, a.posting_id) for a in seen.alerts.values()] == [("s1", "p1")]
    names = (topics.UPDATES, topics.SEARCHES, topics.FEATURES, topics.SCORE_REQUESTS, topics.ALERTS)
    assert server.registry.subjects() == sorted(f"{topic.name}-value" for topic in names)


def test_with_a_registry_single_object_updates_are_read_as_before(server: RegistryServer, home: str) -> None:
    (topic, _, value, headers) = featurize(job(home, server.url), [encode(ADDED)])[0]
    assert (topic, (value or b"")[:1]) == (topics.FEATURES.name, MAGIC)
    assert dict(headers)["outcome"] == Outcome.SUMMARIZED.encode()


def test_without_a_registry_the_stores_very_bytes_leave(home: str) -> None:
    (row,) = featurize(job(home, ""), [encode(ADDED)])
    assert row[2] == stored(home)


def test_without_a_registry_confluent_framing_is_a_dead_letter_that_names_the_setting(
    server: RegistryServer, home: str
) -> None:
    value = Codec(server.registry).encode(ADDED)
    (topic, _, kept, headers) = featurize(job(home, ""), [value])[0]
    assert (topic, kept) == (topics.DLQ.name, value)
    assert dict(headers)["reason"].endswith(b"set --schema-registry")


def test_a_dead_letter_keeps_its_bytes_with_a_registry_too(server: RegistryServer, home: str) -> None:
    line = BrokenLine(number=1, data=b"{broken", reason="no JSON")
    broken = update_message(line, Codec(server.registry)).value or b""
    unknown = MAGIC + b"\x00\x00\x00\x4d" + b"body"
    letters = featurize(job(home, server.url), [broken, unknown])
    assert [(topic, value) for topic, _, value, _ in letters] == [
        (topics.DLQ.name, b"{broken"),
        (topics.DLQ.name, unknown),
    ]
    assert b"knows no schema id 77" in dict(letters[1][3])["reason"]


def test_a_record_stored_by_an_older_contract_leaves_under_the_current_schema(server: RegistryServer) -> None:
    codec, record = Codec(server.registry), FeatureRecord(posting_id="p", version=3)
    older = written(avro.history("feature_record")[0][1], as_datum(record))
    assert codec.reframe(FeatureRecord, older) == codec.encode(record)


def gone(server: RegistryServer) -> Codec:
    """A codec whose registry went away after it had opened; it knows the ids that it writes, and no other."""
    server.failures = 1_000_000
    return open_codec(RegistrySettings(url=server.url), timeout_s=0.5)


def test_a_registry_that_is_away_stops_the_feature_job_and_makes_no_dead_letter(
    server: RegistryServer, home: str
) -> None:
    value = Codec(server.registry).encode(ADDED)
    with closing(FeatureWorker(job(home, server.url).worker())) as worker:
        server.failures = 3
        row = SourceRow(value, topics.UPDATES.name, 0, 0, 1_000)
        with pytest.raises(RegistryUnavailable):
            worker.featurize([b"key"], [row])
        outcomes, _ = worker.featurize([b"key"], [row])
    assert [outcome.outcome for outcome in outcomes] == [Outcome.SUMMARIZED]


def test_a_registry_that_is_away_is_waited_for_by_the_consumer(server: RegistryServer, home: str) -> None:
    candidate = Candidate(posting_id="p1", version=1, updated_ms=0)
    request = ScoreRequest(search=SEARCH, candidates=(candidate,), created_ms=0)
    value = Codec(server.registry).encode(request)
    with closing(gone(server)) as codec:
        out = consume(codec, home, [Outgoing(topics.SCORE_REQUESTS.name, b"s1", value)], turns=2)
    assert out == []


def test_a_registry_that_is_away_ends_the_matcher_without_a_dead_letter(
    server: RegistryServer, home: str
) -> None:
    feature = Codec(server.registry).encode(FeatureRecord(posting_id="p1", version=1))
    out: list[Outgoing] = []
    with closing(gone(server)) as codec, pytest.raises(RegistryUnavailable):
        match(codec, home, search_message(SEARCH, Codec()), [(topics.FEATURES.name, b"p1", feature, [])], out)
    assert out == []


def test_what_a_process_writes_is_registered_when_it_starts(server: RegistryServer) -> None:
    with closing(open_codec(RegistrySettings(url=server.url), WRITES)) as codec:
        server.failures = 1_000_000
        assert codec.encode(ADDED)[:1] == codec.encode(SEARCH)[:1] == MAGIC


def test_a_subject_that_holds_another_contract_is_named_at_the_start(server: RegistryServer) -> None:
    theirs = '{"type": "record", "name": "SavedSearch", "fields": [{"name": "search_id", "type": "int"}]}'
    server.registry.register("searches-value", theirs)
    with pytest.raises(IncompatibleSchema, match="refuses searches-value"):
        open_codec(RegistrySettings(url=server.url), WRITES)


def test_a_subject_with_an_older_version_of_the_contract_takes_the_current_one(
    server: RegistryServer,
) -> None:
    older = Path(__file__).parents[3] / "schemas/history/saved_search.1.avsc"
    server.registry.register("searches-value", older.read_text())
    with closing(open_codec(RegistrySettings(url=server.url), {SavedSearch: "searches"})) as codec:
        assert codec.decode(SavedSearch, codec.encode(SEARCH)) == SEARCH


@pytest.mark.parametrize("url", ["registry:8081", "kafka://registry"])
def test_an_address_that_is_no_url_is_named(url: str) -> None:
    with pytest.raises(ConfigError, match=f"--schema-registry '{url}'"):
        RegistrySettings(url=url)


def test_credentials_come_from_the_environment_and_are_not_printed() -> None:
    settings = RegistrySettings.from_env({"NEARLINE_SCHEMA_REGISTRY_AUTH": "ann:secret"}, url="http://r")
    assert settings == RegistrySettings(url="http://r", auth="ann:secret")
    assert "secret" not in repr(settings)
    with pytest.raises(ConfigError, match="NEARLINE_SCHEMA_REGISTRY_AUTH") as caught:
        replace(settings, auth="secret")
    assert "secret" not in str(caught.value)
