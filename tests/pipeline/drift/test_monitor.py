"""The monitor measures a sample and never troubles its caller, whatever the ranker does."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from threading import Event
from typing import Any

import pytest
from typing_extensions import override

from models.prompts import Item, load_tokenizer
from models.ranker import LexicalRanker, Ranker
from models.summarizer import InstantSummarizer
from models.unknown import UnknownTokens
from nearline.cli.options import CHECKPOINTS
from pipeline.drift.measuring import Measurer
from pipeline.drift.monitor import MOST_WAITING, DriftMonitor, sampled
from pipeline.drift.thresholds import Thresholds
from pipeline.featurize import Featurizer, SourceRow
from schemas.codec import Codec
from schemas.errors import ModelUnavailable
from schemas.records import Op, Posting, PostingUpdate
from storage.features import FeatureStore
from storage.memory import MemoryStore
from streaming.features.worker import FeatureWorker, WorkerSettings
from streaming.kafka.framing import RegistrySettings

UNKNOWN = UnknownTokens(load_tokenizer(CHECKPOINTS / "ranker-tiny"))
TEXT = "We look for a nurse on our children's ward. Nights are paid extra. Apply with two references please."


class Inline(Executor):
    """Does what is submitted at once."""

    @override
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = Future[Any]()
        try:
            future.set_result(fn(*args, **kwargs))
        except ModelUnavailable as error:
            future.set_exception(error)
        return future


class Scripted(Ranker):
    """Raises the error or gives the score that it is told."""

    model = "scripted@1"

    def __init__(self, answer: float | Exception) -> None:
        self.answer = answer

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return [self.answer] * len(items)


class Blocked(LexicalRanker):
    """Answers once it is let."""

    def __init__(self) -> None:
        self.let = Event()

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        self.let.wait(30)
        return super().score_many(query, items, deadline_s)


def update(number: int, text: str = TEXT) -> SourceRow:
    posting = Posting(title=f"Nurse {number}", description=text)
    made = PostingUpdate(posting_id=f"p{number}", version=number, op=Op.ADD, posting=posting)
    return SourceRow(Codec().encode(made), "postings.updates", 0, number, 0)


def offered(monitor: DriftMonitor, rows: Sequence[SourceRow]) -> None:
    monitor.offer(
        rows, Featurizer(FeatureStore(MemoryStore(lambda: 0.0)), InstantSummarizer()).featurize(rows)
    )


def monitor_of(ranker: Ranker, share: float = 1.0, **more: Any) -> DriftMonitor:
    return DriftMonitor(Measurer(ranker, UNKNOWN), None, share, Codec(), Inline(), **more)


def test_the_sample_is_a_share_by_id() -> None:
    ids = [f"posting-{number}" for number in range(5_000)]
    chosen = {one for one in ids if sampled(one, 0.1)}
    assert 430 < len(chosen) < 570
    assert chosen <= {one for one in ids if sampled(one, 0.2)}
    assert all(sampled(one, 1.0) for one in ids)


def test_what_is_sampled_of_new_texts_is_measured() -> None:
    monitor = monitor_of(LexicalRanker(), 0.3)
    offered(monitor, [update(number) for number in range(1, 60)])
    wanted = sum(sampled(f"p{number}", 0.3) for number in range(1, 60))
    state = monitor.state()
    assert state.counts["measured"] == state.means.count == wanted > 0
    assert state.counts["text_tokens"] > state.counts["summary_tokens"] > 0


def test_a_row_that_brought_no_new_text_is_not_measured() -> None:
    monitor = monitor_of(LexicalRanker())
    offered(monitor, [update(1), update(1), update(2, ""), SourceRow(b"damaged", "t", 0, 3, 0)])
    assert monitor.state().counts["measured"] == 1


@pytest.mark.parametrize("answer", [ModelUnavailable("down"), math.nan, math.inf])
def test_a_ranker_that_is_down_or_gives_no_number_is_counted_and_measured_again_later(
    answer: float | Exception,
) -> None:
    ranker = Scripted(answer)
    monitor = monitor_of(ranker)
    offered(monitor, [update(1), update(2)])
    assert (monitor.state().counts["failed"], monitor.state().means.count) == (2, 0)
    ranker.answer = 0.5
    offered(monitor, [update(3)])
    assert (monitor.state().counts["measured"], monitor.state().means.kl) == (1, 0.0)


def test_a_slow_ranker_makes_no_one_wait_and_what_is_too_much_is_left_out() -> None:
    ranker = Blocked()
    monitor = DriftMonitor(Measurer(ranker, UNKNOWN), None, 1.0, Codec())
    offered(monitor, [update(number) for number in range(1, MOST_WAITING + 6)])
    assert monitor.state().counts == {"left_out": 5}
    ranker.let.set()
    monitor.close()
    assert monitor.state().counts["failed"] == 0


def test_a_posting_that_is_not_scored_in_time_has_failed() -> None:
    now = iter([0.0, 1.0, 11.0])
    measurer = Measurer(LexicalRanker(), UNKNOWN, deadline_s=10.0, monotonic=lambda: next(now))
    monitor = DriftMonitor(measurer, None, 1.0, Codec(), Inline())
    offered(monitor, [update(1)])
    assert monitor.state().counts == {"failed": 1}


def test_the_alarm_needs_a_full_window() -> None:
    thresholds = Thresholds(window=2, kl=0.0, unknown=1.0, guarded=1.0)
    monitor = DriftMonitor(Measurer(LexicalRanker(), UNKNOWN), thresholds, 1.0, Codec(), Inline())
    long = " ".join([TEXT, *(f"lonely{a}{b}" for a in "abcdefgh" for b in "abcdefgh")])
    for number, exceeded in ((1, ()), (2, ("kl",))):
        offered(monitor, [update(number, long)])
        assert monitor.state().exceeded == exceeded


def test_a_worker_of_the_feature_job_has_the_monitor_that_its_settings_ask_for() -> None:
    settings = WorkerSettings(
        store_url="memory:",
        summarizer_url="instant:",
        tokenizer_dir="",
        source_topic="postings.updates",
        features_topic="postings.features",
        dlq_topic="postings.dlq",
        deadline_s=10,
        max_backoff_s=1,
        max_ahead_s=1e9,
        registry=RegistrySettings(),
        drift_ranker_url="instant:",
        drift_tokenizer_dir=str(CHECKPOINTS / "ranker-tiny"),
        drift_share=1.0,
    )
    worker = FeatureWorker(settings)
    worker.featurize([b"p1"], [update(1)])
    assert worker.drift is not None
    worker.close()
    assert worker.drift.state().counts["failed"] == 0
