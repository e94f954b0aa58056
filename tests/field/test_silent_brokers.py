"""A producer whose brokers fell silent: every send is bounded, its result is looked at, and the process ends."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx
import pytest
from kafka.errors import CommitFailedError, KafkaTimeoutError, ProducerFencedError
from prometheus_client import CollectorRegistry, Gauge

from nearline.stack.tools import free_port
from schemas.codec import Codec
from schemas.errors import BrokersUnavailable, ConfigError, InstanceTaken
from schemas.records import Op, PostingUpdate
from streaming.alerting.kafka_log import EXPELLED_S, REJOIN_S, RequestGroup
from streaming.features.publisher import KafkaPublisher
from streaming.kafka import clients
from streaming.kafka.admin import require_answer, wait_for_topics
from streaming.kafka.delivery import MOST_MESSAGES, Delivery
from streaming.kafka.messages import Outgoing
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.waiting import STOPPING_S, within
from streaming.matching.kafka_log import FeatureGroup
from streaming.matching.log import PartitionProgress
from streaming.process.health import LoopHealth
from streaming.process.lifecycle import StopRequest
from streaming.process.metrics import MetricsServer
from streaming.tools.replay import ReplayProgress, ReplaySettings, send_updates
from tests.support.fake_kafka import FakeConsumer, FakeProducer

MESSAGE = Outgoing("t", b"k", b"v")


class Clock:
    """Each look at it takes a second."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def lag() -> Gauge:
    return Gauge("lag", "Lag.", ["partition"], registry=CollectorRegistry())


def test_a_message_that_nobody_acknowledges_is_an_outage_after_a_bounded_time() -> None:
    clock = Clock()
    delivery = Delivery(FakeProducer(silent=True), delivery_s=60.0, clock=clock)
    delivery.send(MESSAGE)
    with pytest.raises(BrokersUnavailable, match="not acknowledged"):
        delivery.wait()
    assert 60 < clock.now_s < 80


def test_a_stop_shortens_the_wait() -> None:
    clock, asked = Clock(), StopRequest()
    delivery = Delivery(FakeProducer(silent=True), stopped=asked.is_set, clock=clock)
    delivery.send(MESSAGE)
    asked.ask()
    with pytest.raises(BrokersUnavailable):
        delivery.wait()
    assert clock.now_s < 2 * STOPPING_S


def test_every_acknowledgement_is_looked_at() -> None:
    failed = Delivery(FakeProducer(KafkaTimeoutError("expired after 60000 ms")))
    failed.send(MESSAGE)
    with pytest.raises(BrokersUnavailable, match="expired after 60000 ms"):
        failed.wait()
    well = Delivery(FakeProducer())
    for _ in range(3):
        well.send(MESSAGE)
    well.wait()
    assert well.acknowledged == 3


def test_no_more_messages_wait_than_the_memory_has_room_for() -> None:
    delivery = Delivery(FakeProducer(silent=True), delivery_s=1.0, clock=Clock())
    for _ in range(MOST_MESSAGES):
        delivery.send(MESSAGE)
    with pytest.raises(BrokersUnavailable):
        delivery.send(MESSAGE)


def test_the_matcher_ends_when_its_requests_are_not_acknowledged() -> None:
    log = FeatureGroup(
        FakeConsumer({"postings.features": [[]]}),
        FakeProducer(KafkaTimeoutError("expired")),
        lag(),
        stopped=lambda: True,
    )
    log.send(MESSAGE)
    with pytest.raises(BrokersUnavailable):
        log.commit({0: PartitionProgress(offset=1)})


def test_a_call_that_does_not_come_back_is_left_and_one_that_does_is_answered() -> None:
    hangs = threading.Event()
    with pytest.raises(BrokersUnavailable, match=r"a transaction: .* within 0\.02 s"):
        within(0.02, "a transaction", hangs.wait)
    assert within(5.0, "a sum", lambda: 1 + 1) == 2
    with pytest.raises(TimeoutError, match="its own"):
        within(5.0, "an error", raising(TimeoutError("its own")))
    hangs.set()


def raising(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def test_a_replay_says_how_many_updates_arrived_when_the_brokers_fall_silent() -> None:
    events = [(n, PostingUpdate(posting_id=f"p{n}", version=n, op=Op.CLOSE, posting=None)) for n in range(9)]
    progress = ReplayProgress()
    with pytest.raises(BrokersUnavailable, match=r"0 of 9 updates .* send the file again"):
        send_updates(
            FakeProducer(silent=True),
            events,
            ReplaySettings(),
            codec=Codec(),
            progress=progress,
            clock=Clock(),
        )
    assert (progress.sent, progress.acknowledged) == (9, 0)


def test_a_publisher_works_with_a_new_producer_after_an_outage() -> None:
    made = [FakeProducer(KafkaTimeoutError("expired")), FakeProducer()]
    producers = iter(made)
    publisher = KafkaPublisher(lambda: next(producers), Codec(), framed=False)
    with pytest.raises(BrokersUnavailable):
        publisher.publish_many({"p": b"record"})
    assert publisher.publish_many({"p": b"record"}) == {}
    assert made[0].closed
    assert [sent.key for sent in made[1].sent] == [b"p"]


def test_a_producer_that_cannot_flush_is_closed_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    clients.close_producer(FakeProducer(silent=True))
    assert "given up" in caplog.text


class Fenced(FakeProducer):
    """A transactional producer whose name another process has."""

    def begin_transaction(self) -> None:
        """As kafka-python's."""

    def send_offsets_to_transaction(self, *_: Any) -> None:
        """As kafka-python's."""

    def commit_transaction(self) -> None:
        raise ProducerFencedError

    def abort_transaction(self) -> None:
        raise ProducerFencedError


class Member(FakeConsumer):
    """A member of a group."""

    def group_metadata(self) -> Any:
        return cast("Any", StaticName)


class StaticName:
    """As kafka-python's `ConsumerGroupMetadata`."""

    group_id, group_instance_id = "nearline-alerts", "local-1"


def test_a_consumer_whose_name_another_process_has_ends_and_says_which_name() -> None:
    log = RequestGroup(Member({"score.requests": [[]]}), Fenced(), lag())
    with pytest.raises(InstanceTaken, match=r"instance id 'local-1' in the group 'nearline-alerts'"):
        log.transact([MESSAGE], {0: 1})


class Unanswered(Fenced):
    """A transactional producer whose brokers do not answer."""

    def commit_transaction(self) -> None:
        raise KafkaTimeoutError("no answer")

    def abort_transaction(self) -> None:
        raise KafkaTimeoutError("no answer either")


def test_a_consumer_that_can_neither_commit_nor_abort_ends() -> None:
    log = RequestGroup(Member({"score.requests": [[]]}), Unanswered(), lag())
    with pytest.raises(BrokersUnavailable, match=r"neither committed nor aborted: .*no answer either"):
        log.transact([MESSAGE], {0: 1})


class Expelled(Fenced):
    """A transactional producer whose group no longer knows the member, until it is `known` again."""

    known = False

    def commit_transaction(self) -> None:
        if not self.known:
            raise CommitFailedError("consumer group metadata mismatch: UnknownMemberIdError")

    def abort_transaction(self) -> None:
        """As kafka-python's."""


class Coordinator:
    """As kafka-python's, as far as joining again needs it."""

    def __init__(self, producer: Expelled, *, mended: bool) -> None:
        self.producer, self.mended, self.resets = producer, mended, 0

    def reset_generation(self) -> None:
        self.resets += 1
        self.producer.known = self.mended


def expelled(now_s: list[float], *, mended: bool) -> tuple[RequestGroup, Coordinator]:
    """A member that its group has expelled, without its client's knowing; `mended`: it can join again."""
    member, producer = Member({"score.requests": [[]]}), Expelled()
    coordinator = Coordinator(producer, mended=mended)
    member._coordinator = coordinator  # type: ignore[attr-defined]
    return RequestGroup(member, producer, lag(), clock=lambda: now_s[0]), coordinator


def test_a_member_that_its_group_has_expelled_joins_again_though_its_client_does_not_know() -> None:
    now_s = [0.0]
    log, coordinator = expelled(now_s, mended=True)
    assert not log.transact([MESSAGE], {0: 1})
    assert not log.transact([MESSAGE], {0: 1})
    assert coordinator.resets == 0  # a rebalance may be under way
    now_s[0] = REJOIN_S + 1
    assert not log.transact([MESSAGE], {0: 1})
    assert coordinator.resets == 1
    assert log.transact([MESSAGE], {0: 1})


def test_a_member_that_its_group_has_expelled_and_that_cannot_join_again_ends() -> None:
    now_s = [0.0]
    log, coordinator = expelled(now_s, mended=False)
    while now_s[0] < EXPELLED_S:
        assert not log.transact([MESSAGE], {0: 1})
        now_s[0] += 0.5
    assert coordinator.resets > 1
    now_s[0] += 1
    with pytest.raises(BrokersUnavailable, match=r"expelled this member.*UnknownMemberId"):
        log.transact([MESSAGE], {0: 1})


def test_a_member_that_joins_again_goes_on() -> None:
    now_s, producer = [0.0], Expelled()
    log = RequestGroup(Member({"score.requests": [[]]}), producer, lag(), clock=lambda: now_s[0])
    for rebalance_s in (0.0, 100.0, 200.0):
        now_s[0], producer.known = rebalance_s, False
        assert not log.transact([MESSAGE], {0: 1})
        producer.known = True
        assert log.transact([MESSAGE], {0: 1})


class Waited(Exception):
    """Ends a wait that would go on."""


def test_brokers_that_take_a_request_and_say_nothing_are_waited_for_as_brokers_that_are_down(
    silent: str,
) -> None:
    with pytest.raises(BrokersUnavailable, match="accept connections and do not answer"):
        require_answer(silent, timeout_s=0.05)
    said: list[str] = []

    def check(kafka: KafkaSettings, _names: tuple[str, ...]) -> None:
        require_answer(kafka.bootstrap, timeout_s=0.05)

    def sleep(_seconds: float) -> None:
        raise Waited

    with pytest.raises(Waited):
        wait_for_topics(KafkaSettings(bootstrap=silent), (), check=check, sleep=sleep, waits=said.append)
    assert "do not answer" in said[0]


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server whose system accepts connections for it, and that never reads one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def probes(health: LoopHealth, registry: CollectorRegistry) -> Iterator[Callable[[str], tuple[int, str]]]:
    port = free_port()
    with MetricsServer(registry, health, port, "127.0.0.1"), httpx.Client(trust_env=False) as http:

        def get(path: str) -> tuple[int, str]:
            answer = http.get(f"http://127.0.0.1:{port}{path}")
            return answer.status_code, answer.text

        yield get


def test_a_loop_that_stands_still_is_told_from_one_that_has_nothing_to_do() -> None:
    now_s, registry = [100.0], CollectorRegistry()
    health = LoopHealth(registry, limit_s=120.0, clock=lambda: now_s[0])
    with probes(health, registry) as get:
        for _ in range(5):  # nothing to do, for ten minutes
            now_s[0] += 119.0
            assert get("/live") == get("/ready") == (200, "ok\n")
            health.turned()
        now_s[0] += 143.0
        status, line = get("/live")
        assert status == 503
        assert line == "the loop stands still: no turn has ended for 143 s (more than 120 s)\n"
        assert "nearline_last_turn_age_seconds 143.0" in get("/metrics")[1]
        health.turned()
        assert get("/live")[0] == 200


def test_a_loop_that_waits_for_its_brokers_is_alive_and_not_ready() -> None:
    registry = CollectorRegistry()
    health = LoopHealth(registry)
    health.turned("no Kafka broker answers (k:9: refused)")
    with probes(health, registry) as get:
        assert get("/live")[0] == 200
        assert get("/ready") == (503, "no Kafka broker answers (k:9: refused)\n")


def test_a_metrics_port_that_is_taken_is_named() -> None:
    port, health = free_port(), LoopHealth(CollectorRegistry())
    with (
        MetricsServer(CollectorRegistry(), health, port, "127.0.0.1"),
        pytest.raises(ConfigError, match=f"--metrics-port {port}"),
    ):
        MetricsServer(CollectorRegistry(), health, port, "127.0.0.1")
