"""The topic table and the spelling of Kafka settings for both clients."""

import pytest

from schemas.errors import ConfigError
from streaming.kafka.settings import FLINK_PACKAGE, KafkaSettings
from streaming.kafka.topics import DLQ, DLQ_HEADROOM_BYTES, TABLE, UPDATES


def test_the_dead_letter_topic_takes_any_source_message_and_its_headers() -> None:
    assert DLQ.max_bytes == UPDATES.max_bytes + DLQ_HEADROOM_BYTES


def test_a_megabyte_description_fits_the_source_topic() -> None:
    assert UPDATES.max_bytes > 1024 * 1024 + 64 * 1024


def test_topic_names_are_unique() -> None:
    assert len({t.name for t in TABLE}) == len(TABLE)


def test_compacted_topics_never_expire_their_newest_record() -> None:
    assert {t.retention_ms for t in TABLE if t.cleanup == "compact"} == {-1}


def test_plain_settings_ask_for_no_tls_and_no_login() -> None:
    kafka = KafkaSettings(bootstrap="a:1,b:2")
    assert kafka.python()["bootstrap_servers"] == ["a:1", "b:2"]
    assert not [name for name in kafka.python() if name.startswith(("ssl", "sasl"))]
    assert kafka.java() == {"bootstrap.servers": "a:1,b:2", "security.protocol": "PLAINTEXT"}


def test_login_and_tls_reach_both_clients() -> None:
    kafka = KafkaSettings.from_env(
        {
            "NEARLINE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "NEARLINE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "NEARLINE_KAFKA_SASL_USERNAME": "reader",
            "NEARLINE_KAFKA_SASL_PASSWORD": 'q"uo\\te',
            "NEARLINE_KAFKA_SSL_CAFILE": "/etc/ca.pem",
            "NEARLINE_KAFKA_SSL_CERTFILE": "/etc/client.pem",
            "NEARLINE_KAFKA_SSL_CHECK_HOSTNAME": "false",
            "PATH": "/bin",
        },
        bootstrap="k:9",
    )
    python, java = kafka.python(), kafka.java(package=FLINK_PACKAGE)
    assert (python["sasl_plain_password"], python["ssl_cafile"]) == ('q"uo\\te', "/etc/ca.pem")
    assert python["ssl_check_hostname"] is False
    assert java["sasl.jaas.config"] == (
        f"{FLINK_PACKAGE}.common.security.scram.ScramLoginModule required "
        'username="reader" password="q\\"uo\\\\te";'
    )
    assert java["ssl.truststore.location"] == "/etc/ca.pem"
    assert java["ssl.endpoint.identification.algorithm"] == ""


def test_a_password_is_never_shown() -> None:
    kafka = KafkaSettings(security_protocol="SASL_SSL", sasl_username="u", sasl_password="s3cret")  # noqa: S106
    assert "s3cret" not in repr(kafka)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"NEARLINE_KAFKA_SECURTY_PROTOCOL": "SSL"}, "NEARLINE_KAFKA_SECURTY_PROTOCOL"),
        ({"NEARLINE_KAFKA_SECURITY_PROTOCOL": "TLS"}, "security_protocol"),
        ({"NEARLINE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "SASL_USERNAME"),
        ({"NEARLINE_KAFKA_SASL_MECHANISM": "GSSAPI"}, "sasl_mechanism"),
        ({"NEARLINE_KAFKA_SSL_CHECK_HOSTNAME": "maybe"}, "SSL_CHECK_HOSTNAME"),
    ],
)
def test_a_setting_that_cannot_work_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        KafkaSettings.from_env(environ)
