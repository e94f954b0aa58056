"""The command lines of the matcher and the alert consumer."""

from pathlib import Path
from typing import Any

import pytest

from schemas.errors import ConfigError
from streaming.alert_consumer import ALERT_CONSUMER, ConsumerSettings
from streaming.kafka.framing import AUTH, RegistrySettings
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import DAY_MS, DLQ
from streaming.matcher import MATCHER, MatcherSettings
from streaming.process.member import Program, parser
from streaming.process.options import settings_of

STORE, RANKER = ["--store", "memory:"], ["--ranker", "instant:"]


def matched(*argv: str, **environ: str) -> MatcherSettings:
    return settings_of(MatcherSettings, parser(MATCHER).parse_args([*STORE, *argv]), environ)


def consumed(*argv: str, **environ: str) -> ConsumerSettings:
    given = parser(ALERT_CONSUMER).parse_args([*STORE, *RANKER, *argv])
    return settings_of(ConsumerSettings, given, environ)


def test_a_command_line_with_nothing_but_what_is_needed_gives_the_settings_defaults() -> None:
    assert matched() == MatcherSettings(kafka=KafkaSettings(), store_url="memory:")
    assert consumed() == ConsumerSettings(kafka=KafkaSettings(), store_url="memory:", ranker_url="instant:")


def test_every_option_reaches_its_setting() -> None:
    common = ["--bootstrap", "k:1", "--instance-id", "7", "--session-timeout-s", "9", "--metrics-port", "8"]
    found = matched(*common, "--group", "g", "--window-s", "3", "--max-items", "4", "--commit-s", "5")
    assert (found.kafka.bootstrap, found.instance_id, found.session_timeout_s) == ("k:1", "7", 9.0)
    assert (found.metrics_port, found.group) == (8, "g")
    assert (found.windows.window_s, found.windows.max_items, found.loop.commit_s) == (3.0, 4, 5.0)
    asked = consumed(
        "--cache", "lmdb:///c", "--tokenizer", "dir", "--defer-s", "2", "--ledger-ttl-days", "31"
    )
    assert (asked.cache_url, asked.tokenizer, asked.loop.defer_s) == ("lmdb:///c", Path("dir"), 2.0)
    assert asked.ledger_ttl_days == 31.0


def test_brokers_and_registry_come_from_the_command_line_and_logins_from_the_environment() -> None:
    environ = {"NEARLINE_KAFKA_BOOTSTRAP": "env:1", AUTH: "user:secret"}
    found = matched("--schema-registry", "http://r:1", **environ)
    assert found.kafka.bootstrap == "env:1"
    assert found.registry == RegistrySettings(url="http://r:1", auth="user:secret")
    assert matched("--bootstrap", "arg:1", **environ).kafka.bootstrap == "arg:1"


@pytest.mark.parametrize("days", ["0", "-1", "1", str(DLQ.retention_ms / DAY_MS), "nan"])
def test_a_ledger_that_forgets_before_a_topic_does_is_refused(days: str) -> None:
    with pytest.raises(ConfigError, match="alert twice"):
        consumed("--ledger-ttl-days", days)


@pytest.mark.parametrize("program", [MATCHER, ALERT_CONSUMER], ids=lambda program: program.module)
def test_the_help_shows_each_default_and_hides_what_is_for_tests(
    program: Program[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser(program).parse_args(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "partitions away. [default: 45.0]" in text
    assert "127.0.0.1:9092" in text
    assert "None" not in text
    assert "--crash-at" not in text
