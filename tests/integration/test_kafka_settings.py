"""TLS and a login reach a real broker from kafka-python and from Java's client alike."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nearline.stack.jars import kafka_classpath
from nearline.stack.processes import reap, spawn, stop, tail, wait_until
from nearline.stack.settings import StackSettings
from schemas.errors import ConfigError
from streaming.kafka import clients
from streaming.kafka.admin import create_topics, require_topics
from streaming.kafka.messages import Outgoing
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import SEARCHES
from streaming.kafka.whole_topic import scan

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate"),
]

SECRET = 'quo"te\\d'  # noqa: S105  (what a JAAS line must quote)
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


@pytest.fixture(scope="module")
def secured(stack_settings: StackSettings) -> Iterator[KafkaSettings]:
    """A broker that wants a client certificate and a password."""
    home = stack_settings.home / "secured"
    home.mkdir()
    port, pem = stack_settings.port("flink"), certificate(home)
    kafka = KafkaSettings(
        bootstrap=f"127.0.0.1:{port}",
        security_protocol="SASL_SSL",
        sasl_username="reader",
        sasl_password=SECRET,
        ssl_cafile=str(pem),
        ssl_certfile=str(pem),
    )
    config = home / "server.properties"
    write(config, broker_properties(home, port, stack_settings.port("flink_rpc"), pem))
    java = ["java", "-Xmx256m", "-cp", kafka_classpath(stack_settings.jars)]
    subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", str(config)],
        check=True,
        capture_output=True,
    )
    log = home / "broker.log"
    process = spawn([*java, "kafka.Kafka", str(config)], home=home, component="kafka", log=log, env={})
    try:
        assert wait_until(lambda: "Kafka Server started" in log.read_text(), 90), tail(log, 30)
        yield kafka
    finally:
        stop(process, 10)
        reap(home)


def certificate(home: Path) -> Path:
    """A key and a certificate that signs itself, in one file."""
    key, cert, both = home / "key.pem", home / "cert.pem", home / "both.pem"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run([*command, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + cert.read_bytes())
    return both


def broker_properties(home: Path, port: int, controller: int, pem: Path) -> dict[str, str]:
    """One KRaft node with a single SASL_SSL listener."""
    reader = SECRET.replace("\\", "\\\\").replace('"', '\\"')
    users = f'username="admin" password="adm" user_admin="adm" user_reader="{reader}";'
    listener = f"SASL_SSL://127.0.0.1:{port}"
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"{listener},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": listener,
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "SASL_SSL",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": f"{LOGIN} {users}",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(pem),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(home / "cert.pem"),
        "ssl.client.auth": "required",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        # By default the cleaner takes 128 MiB, half of this heap.
        "log.cleaner.dedupe.buffer.size": "4194304",
        "log.dirs": str(home / "data"),
    }


def write(path: Path, properties: dict[str, str]) -> None:
    """A Java properties file, in which a backslash is written twice."""
    doubled = {name: value.replace("\\", "\\\\") for name, value in properties.items()}
    path.write_text("".join(f"{name}={value}\n" for name, value in doubled.items()))


def test_python_clients_log_in_over_tls(secured: KafkaSettings) -> None:
    create_topics(secured, (SEARCHES,))
    producer = clients.producer(secured)
    clients.send(producer, Outgoing(SEARCHES.name, b"s1", b"value")).get(timeout=30)
    producer.close()
    assert [m.value for batch in scan(secured, SEARCHES.name) for m in batch] == [b"value"]


def test_javas_client_logs_in_over_tls(
    secured: KafkaSettings, stack_settings: StackSettings, tmp_path: Path
) -> None:
    create_topics(secured, (SEARCHES,))
    write(tmp_path / "client.properties", secured.java())
    tool = ["java", "-cp", kafka_classpath(stack_settings.jars), "org.apache.kafka.tools.TopicCommand"]
    arguments = ["--command-config", str(tmp_path / "client.properties"), "--list"]
    done = subprocess.run(
        [*tool, "--bootstrap-server", secured.bootstrap, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert SEARCHES.name in done.stdout.splitlines(), done.stdout + done.stderr


def test_a_broker_that_lets_nobody_in_is_named(secured: KafkaSettings) -> None:
    with pytest.raises(ConfigError, match=secured.bootstrap):
        require_topics(replace(secured, sasl_password="guess"), (SEARCHES.name,))  # noqa: S106
