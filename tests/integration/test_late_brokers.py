"""Our processes against a real broker that comes after them, or that lacks what they need."""

import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from nearline.stack.processes import wait_until
from nearline.stack.tools import free_port
from schemas.records import SavedSearch
from streaming.create_topics import main as create_topics
from streaming.kafka import admin, topics
from tests.integration.kafka_stage import Stage
from tests.pipeline.builders import feature

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@contextmanager
def relay(port: int, broker: str) -> Iterator[None]:
    """Lets clients reach the broker at another port, as their bootstrap address, from now on."""
    host, _, number = broker.partition(":")
    with socket.create_server(("127.0.0.1", port)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    upstream = socket.create_connection((host, int(number)))
                    for pair in ((client, upstream), (upstream, client)):
                        threading.Thread(target=pump, args=pair, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        shutil.copyfileobj(source.makefile("rb", 0), sink.makefile("wb", 0))
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def test_a_matcher_that_starts_before_its_broker_waits_and_then_works(stage: Stage) -> None:
    stage.send_searches([SavedSearch(search_id="a", query="nurse")])
    stage.send_features([feature(posting_id="p", title="Nurse")])
    direct, port = stage.kafka, free_port()
    stage.kafka = replace(direct, bootstrap=f"127.0.0.1:{port}")
    process = stage.start("streaming.matcher")
    assert wait_until(lambda: stage.logs().count("no Kafka broker answers") > 1, 60), stage.logs()
    with relay(port, direct.bootstrap):
        stage.until(lambda: stage.pairs() == {("a", "p")})
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, stage.logs()


def test_a_topic_that_an_answering_broker_lacks_ends_the_process_and_is_named(stage: Stage) -> None:
    stage.delete_topic(topics.SEARCHES.name)
    for module, more in (
        ("streaming.matcher", ()),
        ("streaming.alert_consumer", ("--ranker", "instant:")),
    ):
        assert stage.start(module, *more, instance=module).wait(100) == 2, stage.logs()
    assert stage.logs().count("no such topic") == 2
    assert stage.logs().count(f": {topics.SEARCHES.name}; `nearline up` creates") == 2


def test_what_is_missing_of_the_topics_is_created_by_one_command(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.delete_topic(topics.SEARCHES.name)
    assert create_topics(["--bootstrap", stage.kafka.bootstrap]) == 0
    assert capsys.readouterr().out == f"{topics.SEARCHES.name}\n"
    admin.require_topics(stage.kafka, tuple(topic.name for topic in topics.TABLE))


def test_a_topic_made_again_right_after_its_deletion_is_there_when_the_call_returns(stage: Stage) -> None:
    for _ in range(10):
        stage.delete_topic(topics.SEARCHES.name)
        assert admin.create_topics(stage.kafka) == [topics.SEARCHES.name]
        admin.require_topics(stage.kafka, (topics.SEARCHES.name,))
