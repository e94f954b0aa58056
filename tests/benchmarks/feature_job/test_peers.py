"""Peers do the job's very work: in-process, without a broker, they leave the same store and send the same messages."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.common import feature_worker
from benchmarks.common.updates import Feed
from benchmarks.feature_job.breakdown import batches
from benchmarks.feature_job.peers import plain
from benchmarks.feature_job.peers.plain import Batch
from benchmarks.feature_job.runs import digest
from schemas.records import Outcome
from streaming.features.messages import Row
from streaming.features.worker import FeatureWorker
from streaming.kafka.topics import DLQ, FEATURES

FEED = Feed(updates=200, boards=2, seed=66)  # two of them are broken


class Broker:
    """UpdateSource and sink of a plain loop; notes what happens in which order."""

    def __init__(self, given: list[Batch]) -> None:
        self._given = given
        self.sent: list[Row] = []
        self.steps: list[str] = []

    def poll(self) -> Batch:
        self.steps.append("poll")
        return self._given.pop(0)

    def send(self, message: Row) -> None:
        self.sent.append(message)

    def flush(self) -> None:
        self.steps.append("flush")

    def commit(self) -> None:
        self.steps.append("commit")

    def drained(self) -> bool:
        return not self._given


@pytest.fixture
def ours(tmp_path: Path) -> tuple[str, list[Row]]:
    """The store's digest and the messages of the job's worker over one batch."""
    url = f"lmdb://{tmp_path}/ours?sync=os&map_size=64M"
    with closing(feature_worker.worker(url)) as work:
        _, rows = work.featurize(*batches(FEED, FEED.updates)[0])
    return digest(url), rows


@pytest.fixture
def worker_at(tmp_path: Path) -> Iterator[Callable[[], tuple[str, FeatureWorker]]]:
    made: list[FeatureWorker] = []

    def make() -> tuple[str, FeatureWorker]:
        url = f"lmdb://{tmp_path}/peer{len(made)}?sync=os&map_size=64M"
        made.append(feature_worker.worker(url))
        return url, made[-1]

    yield make
    for work in made:
        work.close()


@pytest.mark.parametrize("size", [1, 7, 200])
def test_the_plain_loop_leaves_the_job_s_store_and_sends_its_messages(
    size: int, ours: tuple[str, list[Row]], worker_at: Callable[[], tuple[str, FeatureWorker]]
) -> None:
    url, work = worker_at()
    broker = Broker(list(batches(FEED, size)))
    plain.run(broker, broker, work, broker.drained)
    assert digest(url) == ours[0]
    assert [(topic, key) for topic, key, _, _ in broker.sent] == [
        (topic, key) for topic, key, _, _ in ours[1]
    ]


def test_the_plain_loop_commits_only_behind_a_flush(
    worker_at: Callable[[], tuple[str, FeatureWorker]],
) -> None:
    _, work = worker_at()
    broker = Broker(list(batches(FEED, 50)))
    times = iter(range(0, 100, 3))
    plain.run(broker, broker, work, broker.drained, commit_s=5.0, clock=lambda: float(next(times)))
    assert broker.steps == [
        "poll",
        "poll",
        "flush",
        "commit",
        "poll",
        "poll",
        "flush",
        "commit",
        "flush",
        "commit",
    ]


def test_the_quixstreams_sink_leaves_the_job_s_store_and_sends_its_messages(
    ours: tuple[str, list[Row]], worker_at: Callable[[], tuple[str, FeatureWorker]]
) -> None:
    pytest.importorskip("quixstreams", reason="the extra `bench` is not installed")
    from benchmarks.feature_job.peers.quix import FeatureSink

    url, work = worker_at()
    broker = Broker([])
    sink = FeatureSink(work, broker, 64)
    ((keys, rows),) = batches(FEED, FEED.updates)
    for key, row in zip(keys, rows, strict=True):
        sink.add(row.value, key, row.timestamp_ms, [], row.topic, row.partition, row.offset)
    sink.flush()
    assert digest(url) == ours[0]
    assert len(broker.sent) == len(ours[1])


def test_the_work_s_messages_go_to_two_topics_with_headers(ours: tuple[str, list[Row]]) -> None:
    topics = {topic for topic, _, _, _ in ours[1]}
    assert topics == {FEATURES.name, DLQ.name}
    assert all(dict(headers)["outcome"].decode() in list(Outcome) for _, _, _, headers in ours[1])


def test_stores_with_different_records_have_different_digests(
    ours: tuple[str, list[Row]], worker_at: Callable[[], tuple[str, FeatureWorker]]
) -> None:
    url, work = worker_at()
    work.featurize(*batches(FEED, FEED.updates - 1)[0])
    assert digest(url) != ours[0]
