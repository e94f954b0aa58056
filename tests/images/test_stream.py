"""A stream through the images: store and alerts are those of one process, a JobManager that died has its job."""

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from models.client.remote import open_ranker, open_summarizer
from pipeline.local import LocalPath
from schemas.events import read_events
from schemas.merge import is_current
from schemas.records import FeatureRecord
from storage.couchbase.url import with_login
from storage.features import FeatureStore
from storage.memory import MemoryStore
from storage.opening import open_store
from storage.tools.dump import record_dict
from streaming.kafka.lag import lag
from streaming.kafka.topics import ALERT_GROUP, FEATURES, MATCHER_GROUP, SCORE_REQUESTS
from streaming.tools.observer import Observer
from streaming.tools.replay import replay_updates, send_searches
from tests.docker.manifests import DOCKER, services
from tests.faults import verify, world
from tests.images import parts
from tests.images.composed import Composed
from tests.images.conftest import KAFKA, SAMPLE

pytestmark = [pytest.mark.images, pytest.mark.timeout(3600)]
SUMMARY = {
    *("summary", "summary_version", "summary_hash", "summary_tokens", "summary_current"),
    *("input_tokens", "model", "generation"),
}
#: Its server and, for the cut of long texts, its tokenizer.
RANKER = ("http://models:8900", DOCKER.parent / "models" / "checkpoints" / "ranker-tiny")


def test_a_stream_with_a_dead_jobmanager_in_its_middle_ends_as_the_same_functions_in_one_process(
    system: Composed,
) -> None:
    events = list(read_events(SAMPLE / "stream.jsonl"))
    searches = world.sample_searches()
    send_searches(KAFKA, searches)
    replay_updates(KAFKA, enumerate(events[: len(events) // 2], start=1), rate_per_s=25)
    system.kill("jobmanager")
    system.start("jobmanager")
    replay_updates(KAFKA, enumerate(events[len(events) // 2 :], start=1), rate_per_s=25)
    system.await_health("jobmanager", 900)
    _await_end(system, len(events), 1200)

    final = _stored()
    assert {k: _without_summary(r) for k, r in final.items()} == _in_one_process(events)
    assert all(is_current(record) for record in final.values() if record.title)
    evidence = verify.gather(KAFKA)
    ranker = open_ranker(*RANKER)
    stored = verify.stored_at(events, open_summarizer("instant:"), ranker)
    assert verify.broken_promises(evidence, final, searches, ranker, stored) == []
    assert len(evidence.alerts) > 10


def _await_end(system: Composed, total: int, timeout_s: float) -> None:
    """Wait until every update has its outcome and nothing is left to be matched or scored.

    A TaskManager whose JobManager died may end itself (Flink's class loader was closed under a failing task).
    """
    deadline = time.monotonic() + timeout_s
    with closing(Observer(KAFKA)) as observer:
        while len(observer.seen.outcomes) < total or any(_lags()):
            observer.poll(1.0)
            system.restart_ended()
            assert time.monotonic() < deadline, observer.seen.counts()


def _lags() -> Iterator[int]:
    yield lag(KAFKA, MATCHER_GROUP, FEATURES.name)
    yield lag(KAFKA, ALERT_GROUP, SCORE_REQUESTS.name)


def _stored() -> dict[str, FeatureRecord]:
    login = {name: parts.REPLACED[value] for name, value in services()["matcher"]["environment"].items()}
    with closing(open_store(with_login(parts.STORE, login))) as store:
        return {record.posting_id: record for record in FeatureStore(store).scan()}


def _in_one_process(events: list[Any]) -> dict[str, Any]:
    local = LocalPath(MemoryStore(time.time), open_summarizer("instant:"), open_ranker("instant:"))
    local.replay(events)
    return {record.posting_id: _without_summary(record) for record in local.features.scan()}


def _without_summary(record: FeatureRecord) -> dict[str, Any]:
    """What does not depend on the summarizer."""
    return {name: value for name, value in record_dict(record).items() if name not in SUMMARY}
