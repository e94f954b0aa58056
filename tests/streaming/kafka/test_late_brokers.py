"""A process that starts before its broker waits for it, says so, and can be stopped meanwhile."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nearline.stack.tools import free_port
from schemas.errors import BrokersUnavailable, ConfigError
from streaming.kafka.admin import MAX_PAUSE_S, require_reachable, require_topics, wait_for_topics
from streaming.kafka.settings import KafkaSettings


def failing(times: int, error: Exception) -> Callable[[KafkaSettings, tuple[str, ...]], None]:
    left = [error] * times

    def check(_kafka: KafkaSettings, _names: tuple[str, ...]) -> None:
        if left:
            raise left.pop()

    return check


def test_brokers_that_come_late_are_waited_for_with_bounded_pauses(caplog: pytest.LogCaptureFixture) -> None:
    slept: list[float] = []
    late = failing(9, BrokersUnavailable("no Kafka broker answers (k:9: refused)"))
    assert wait_for_topics(KafkaSettings(), ("searches",), check=late, sleep=slept.append)
    assert len(caplog.messages) == 9
    assert all("k:9: refused" in message for message in caplog.messages)
    pauses = [float(message.split()[-2]) for message in caplog.messages]
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_PAUSE_S
    assert sum(slept) == pytest.approx(sum(pauses), abs=0.3)


def test_a_missing_topic_ends_the_wait_at_once() -> None:
    with pytest.raises(ConfigError, match="no such topic"):
        wait_for_topics(KafkaSettings(), ("searches",), check=failing(1, ConfigError("no such topic")))


def test_a_stop_ends_the_wait_within_one_step_of_a_pause() -> None:
    slept: list[float] = []
    late = failing(99, BrokersUnavailable("none"))
    stopped_after = 20
    assert not wait_for_topics(
        KafkaSettings(), (), lambda: len(slept) >= stopped_after, check=late, sleep=slept.append
    )
    assert len(slept) == stopped_after


def test_a_closed_port_and_an_unknown_host_are_outages_that_the_error_names() -> None:
    kafka = KafkaSettings(bootstrap=f"127.0.0.1:{free_port()},no-such-host.invalid:9092")
    with pytest.raises(BrokersUnavailable, match=r"127\.0\.0\.1.*no-such-host\.invalid"):
        require_topics(kafka, ("searches",))


def test_one_of_several_addresses_is_enough() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        require_reachable(f"127.0.0.1:{free_port()},127.0.0.1:{listening.getsockname()[1]}")


def test_an_address_that_is_none_is_a_setting_that_cannot_work() -> None:
    with pytest.raises(ConfigError, match="broker:port"):
        require_reachable("broker:port")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("module", ["streaming.matcher", "streaming.alert_consumer"])
def test_a_process_without_its_broker_stops_cleanly_on_sigterm(module: str, tmp_path: Path) -> None:
    options = ["--bootstrap", f"127.0.0.1:{free_port()}", "--store", f"lmdb://{tmp_path}/s"]
    options += ["--ranker", "instant:"] if module.endswith("consumer") else []
    with subprocess.Popen(
        [sys.executable, "-m", module, *options], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "no Kafka broker answers (127.0.0.1" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
