"""The alert consumer as a process against a real broker: every passing pair alerts once, whatever is killed when."""

import random
import signal
import time
from collections import Counter
from contextlib import closing

import pytest

from models.engine.batcher import BatchConfig
from models.engine.instant import InstantEngine
from models.server import Limits
from models.server.app import create_app
from models.server.service import ServedModels, host_ranker, host_summarizer
from nearline.stack.tools import free_port
from schemas.keys import alert_id
from schemas.records import Candidate, FeatureRecord, SavedSearch, ScoreRequest
from streaming.kafka import topics
from streaming.kafka.messages import Outgoing
from tests.integration.kafka_stage import Stage, gauge
from tests.models.running import running
from tests.pipeline.builders import feature
from tests.support.tiny import word_piece_tokenizer, write_tokenizer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

CONSUMER = "streaming.alert_consumer"


def nurse(number: int) -> FeatureRecord:
    return feature(posting_id=f"nurse-{number}", title="Night nurse", summary="care for patients at night")


def request(search_id: str, *numbers: int, threshold: float = 0.6) -> ScoreRequest:
    search = SavedSearch(search_id=search_id, query="night nurse", threshold=threshold)
    now_ms = int(time.time() * 1000)
    candidates = tuple(Candidate(posting_id=f"nurse-{n}", version=1, updated_ms=now_ms) for n in numbers)
    return ScoreRequest(search=search, candidates=candidates, created_ms=now_ms)


def start(stage: Stage, *arguments: str, instance: str = "1") -> None:
    stage.start(CONSUMER, "--ranker", "instant:", *arguments, instance=instance)


def ids(stage: Stage) -> Counter[str]:
    return Counter(alert.alert_id for alert in stage.alerts())


def wanted(pairs: list[tuple[str, int]]) -> Counter[str]:
    return Counter({alert_id(search_id, f"nurse-{n}", 1): 1 for search_id, n in pairs})


def test_a_pair_alerts_once_however_often_it_is_requested(stage: Stage) -> None:
    stage.store_features([nurse(n) for n in range(20)])
    requests = [request(s, *range(i, i + 5)) for s in "abc" for i in range(0, 16, 5)]
    stage.send_requests(requests * 3)
    start(stage)
    stage.until(lambda: len(ids(stage)) == 60)
    stage.quiet()
    assert ids(stage) == wanted([(s, n) for s in "abc" for n in range(20)])
    process = stage.processes[0]
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0, stage.logs()


@pytest.mark.parametrize("step", ["after-ledger@1", "after-produce@1", "before-commit@1", "before-commit@2"])
def test_no_alert_is_lost_or_doubled_when_the_consumer_is_killed(stage: Stage, step: str) -> None:
    stage.store_features([nurse(n) for n in range(40)])
    stage.send_requests([request(s, n) for n in range(20) for s in "ab"])
    start(stage, "--crash-at", step)
    if step.endswith("2"):
        stage.until(lambda: len(stage.alerts()) >= 40)
        stage.send_requests([request(s, n) for n in range(20, 40) for s in "ab"])
    assert stage.processes[0].wait(30) == -signal.SIGKILL, stage.logs()
    if not step.endswith("2"):
        stage.send_requests([request(s, n) for n in range(20, 40) for s in "ab"])
    start(stage)
    everything = wanted([(s, n) for s in "ab" for n in range(40)])
    stage.until(lambda: len(ids(stage)) == len(everything))
    stage.quiet()
    assert ids(stage) == everything


def test_a_consumer_that_lost_its_offsets_alerts_no_pair_twice(stage: Stage) -> None:
    """A new group has no offsets. After the kill the ledger has no marks, so that the topic `alerts` is asked."""
    stage.store_features([nurse(n) for n in range(21)])
    stage.send_requests([request("a", n) for n in range(20)])
    start(stage, "--crash-at", "after-commit@1")
    assert stage.processes[0].wait(60) == -signal.SIGKILL, stage.logs()
    stage.group += "-anew"
    stage.send_requests([request("a", 20)])
    start(stage)
    stage.until(lambda: len(ids(stage)) == 21)
    assert ids(stage) == wanted([("a", n) for n in range(21)])
    assert "whose transactions were cut off are sent" in stage.logs()


def test_random_kills_neither_lose_nor_double_alerts(stage: Stage) -> None:
    rng = random.Random(7)
    stage.store_features([nurse(n) for n in range(200)])
    start(stage)
    pairs = [(f"s{n % 5}", n) for n in range(200)]
    for i in range(0, 200, 20):
        stage.send_requests([request(s, n) for s, n in pairs[i : i + 20] for _ in range(2)])
        time.sleep(rng.uniform(0, 3))
        stage.processes[-1].kill()
        stage.processes[-1].wait()
        start(stage)
    everything = wanted(pairs)
    stage.until(lambda: len(ids(stage)) == len(everything))
    stage.quiet()
    assert ids(stage) == everything


def test_a_second_process_of_the_same_name_fences_the_first(stage: Stage) -> None:
    stage.store_features([nurse(n) for n in range(10)])
    start(stage)
    stage.send_requests([request("a", 0)])
    stage.until(lambda: len(stage.alerts()) == 1)
    first = stage.processes[0]
    first.send_signal(signal.SIGSTOP)
    start(stage)
    stage.send_requests([request("a", n) for n in range(1, 10)])
    stage.until(lambda: len(stage.alerts()) == 10)
    first.send_signal(signal.SIGCONT)
    stage.send_requests([request("b", n) for n in range(10)])
    assert first.wait(30) == 1, stage.logs()
    stage.until(lambda: len(ids(stage)) == 20)
    stage.quiet()
    assert ids(stage) == wanted([(s, n) for s in "ab" for n in range(10)])


def test_two_consumers_share_the_requests_and_one_takes_over_from_the_other(stage: Stage) -> None:
    stage.store_features([nurse(n) for n in range(100)])
    start(stage, "--session-timeout-s", "6", instance="one")
    start(stage, "--session-timeout-s", "6", instance="two")
    pairs = [(f"s{n % 10}", n) for n in range(100)]
    stage.send_requests([request(s, n) for s, n in pairs[:50]])
    stage.until(lambda: len(stage.alerts()) == 50)
    stage.processes[0].kill()
    stage.processes[0].wait()
    stage.send_requests([request(s, n) for s, n in pairs])
    stage.until(lambda: len(ids(stage)) == 100)
    stage.quiet()
    assert ids(stage) == wanted(pairs)


def test_requests_of_an_unsubscribed_search_are_dropped(stage: Stage) -> None:
    stage.store_features([nurse(0)])
    stage.send([Outgoing(topics.SEARCHES.name, b"a", b"x"), Outgoing(topics.SEARCHES.name, b"a", None)])
    stage.send_requests([request("a", 0), request("b", 0)])
    start(stage)
    stage.until(lambda: len(stage.alerts()) == 1)
    stage.quiet()
    assert ids(stage) == wanted([("b", 0)])


def test_a_request_waits_for_features_that_come_soon_and_not_for_those_that_never_come(stage: Stage) -> None:
    stage.store_features([nurse(0), nurse(1)])
    stage.send_requests([request("a", 0, 7), request("a", 1, 8)])
    start(stage, "--defer-s", "8")
    stage.quiet(4)
    assert stage.alerts() == []
    stage.store_features([nurse(7)])
    stage.until(lambda: ids(stage) == wanted([("a", 0), ("a", 7), ("a", 1)]))


def test_poison_is_a_dead_letter_and_ten_thousand_unknown_postings_hold_nothing_up_for_long(
    stage: Stage,
) -> None:
    stage.store_features([nurse(0)])
    name = topics.SCORE_REQUESTS.name
    stage.send([Outgoing(name, b"a", b"\xc3\x01\x00"), Outgoing(name, b"a", None)])
    stage.send_requests([request("a", *range(1, 10_001)), request("a", 0)])
    start(stage, "--defer-s", "2")
    stage.until(lambda: ids(stage) == wanted([("a", 0)]))
    assert [m.headers["topic"] for m in stage.letters()] == [b"score.requests"] * 2
    assert {m.value for m in stage.letters()} == {b"\xc3\x01\x00", b""}


def test_a_model_server_that_is_away_is_waited_for_by_a_member_that_stays(stage: Stage) -> None:
    tokenizer = write_tokenizer(stage.home / "tokenizer", word_piece_tokenizer())
    model, metrics = free_port(), free_port()
    stage.store_features([nurse(n) for n in range(10)])
    stage.send_requests([request("a", n, threshold=0.01) for n in range(10)])
    server = ("--ranker", f"http://127.0.0.1:{model}", "--tokenizer", str(tokenizer))
    process = stage.start(CONSUMER, *server, "--session-timeout-s", "6", "--metrics-port", str(metrics))
    stage.until(
        lambda: gauge(metrics, "nearline_alerts_lag") == 10 and gauge(metrics, "nearline_alerts_paused") == 1,
        60,
    )
    stage.quiet(8)  # longer than its session
    assert (stage.alerts(), stage.letters(), process.poll()) == ([], [], None)
    engine, batching = InstantEngine("ranker@1", tokenizer), BatchConfig()
    ranker, summarizer = host_ranker(engine, batching), host_summarizer(engine, batching)
    with (
        closing(ranker.batcher),
        closing(summarizer.batcher),
        running(create_app(ServedModels(ranker, summarizer), Limits()), model),
    ):
        stage.until(lambda: len(ids(stage)) == 10, 60)
    assert ids(stage) == wanted([("a", n) for n in range(10)])
    assert gauge(metrics, "nearline_alerts_paused") == 0
    assert (stage.letters(), process.poll()) == ([], None)
