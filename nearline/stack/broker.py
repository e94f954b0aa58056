"""The stack's Kafka: one KRaft node from Kafka's own jars."""

import base64
import subprocess
import uuid
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaConnectionError, KafkaTimeoutError

from nearline.stack.component import Component
from nearline.stack.jars import kafka_classpath
from nearline.stack.settings import StackSettings
from nearline.stack.tools import java_home, listening
from schemas.errors import BrokersUnavailable, ConfigError
from streaming.kafka.admin import create_topics, require_answer
from streaming.kafka.settings import KafkaSettings

_SINGLE_NODE = (
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
)


def broker(settings: StackSettings) -> Component:
    """The broker; its storage is formatted before its first start, its topics are created when it is ready."""
    config = _configure(settings)
    return Component(
        name="kafka",
        command=(*_java(settings), "kafka.Kafka", str(config)),
        ready=lambda: _serves(settings),
        on_ready=lambda: create_topics(KafkaSettings(bootstrap=settings.bootstrap)),
        stop_timeout_s=30.0,
    )


def _java(settings: StackSettings, heap: str = "512m") -> tuple[str, ...]:
    log_level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    java = str(java_home() / "bin" / "java")
    return (java, f"-Xmx{heap}", "-XX:+UseG1GC", log_level, "-cp", kafka_classpath(settings.jars))


def _configure(settings: StackSettings) -> Path:
    home = settings.home.resolve() / "kafka"
    home.mkdir(parents=True, exist_ok=True)
    config = home / "server.properties"
    config.write_text("\n".join(f"{key}={value}" for key, value in _properties(settings, home).items()))
    if not (home / "data" / "meta.properties").exists():
        _format(settings, config)
    return config


def _format(settings: StackSettings, config: Path) -> None:
    tool = (*_java(settings), "kafka.tools.StorageTool", "format")
    command = (*tool, "-t", cluster_id(uuid.uuid4().bytes), "-c", str(config))
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ConfigError(f"the broker's storage cannot be formatted: {(done.stderr or done.stdout).strip()}")


def cluster_id(random: bytes) -> str:
    """Write 16 bytes as a Kafka id, without a leading `-`, which Kafka's tools would take for an option."""
    return base64.urlsafe_b64encode(bytes([random[0] & 0x7F]) + random[1:]).decode().rstrip("=")


def _properties(settings: StackSettings, home: Path) -> dict[str, object]:
    controller = f"127.0.0.1:{settings.port('controller')}"
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{settings.bootstrap},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{settings.bootstrap}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "group.initial.rebalance.delay.ms": 0,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.num.partitions": 4,
        "auto.create.topics.enable": "false",
        "log.dirs": home / "data",
        **dict.fromkeys(_SINGLE_NODE, 1),
    }


def _serves(settings: StackSettings) -> bool:
    """Whether the broker answers; a simple request is tried first, because a client waits long for what is missing."""
    if not listening(settings.port("kafka")):
        return False
    try:
        require_answer(settings.bootstrap)
        admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap, request_timeout_ms=3000)
    except (BrokersUnavailable, KafkaConnectionError, KafkaTimeoutError, OSError):
        return False
    admin.close()
    return True
