"""What a cluster sets for its services is no setting of ours; a setting that is written wrongly still is."""

import pytest

from schemas.environment import settings_in
from schemas.errors import ConfigError
from storage.couchbase.url import with_login
from streaming.kafka.settings import KafkaSettings

#: What Kubernetes sets for a service `nearline-kafka` with a port named `clients`, and for `nearline-kafka-bootstrap`.
LINKS = {
    "NEARLINE_KAFKA_SERVICE_HOST": "10.96.0.7",
    "NEARLINE_KAFKA_SERVICE_PORT": "9092",
    "NEARLINE_KAFKA_SERVICE_PORT_CLIENTS": "9092",
    "NEARLINE_KAFKA_PORT": "tcp://10.96.0.7:9092",
    "NEARLINE_KAFKA_PORT_9092_TCP": "tcp://10.96.0.7:9092",
    "NEARLINE_KAFKA_PORT_9092_TCP_PROTO": "tcp",
    "NEARLINE_KAFKA_PORT_9092_TCP_PORT": "9092",
    "NEARLINE_KAFKA_PORT_9092_TCP_ADDR": "10.96.0.7",
    "NEARLINE_KAFKA_BOOTSTRAP_SERVICE_HOST": "10.96.0.8",
    "NEARLINE_KAFKA_BOOTSTRAP_PORT": "tcp://10.96.0.8:9092",
    "NEARLINE_KAFKA_PORT_53_UDP_ADDR": "10.96.0.7",
}


@pytest.mark.parametrize("name", LINKS)
def test_a_variable_of_a_service_is_no_setting(name: str) -> None:
    assert KafkaSettings.from_env({name: LINKS[name]}) == KafkaSettings()


def test_settings_count_beside_the_variables_of_a_service() -> None:
    made = KafkaSettings.from_env(LINKS | {"NEARLINE_KAFKA_BOOTSTRAP": "kafka:9092"})
    assert made.bootstrap == "kafka:9092"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NEARLINE_KAFKA_PORT", "9092"),
        ("NEARLINE_KAFKA_HOST", "kafka"),
        ("NEARLINE_KAFKA_BOOTSTRAP_SERVERS", "kafka:9092"),
    ],
)
def test_a_setting_with_a_wrong_name_is_an_error(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is not a setting"):
        KafkaSettings.from_env(LINKS | {name: value})


def test_a_service_named_after_couchbase_sets_no_login() -> None:
    links = {name.replace("KAFKA", "COUCHBASE"): value for name, value in LINKS.items()}
    login = {"NEARLINE_COUCHBASE_USERNAME": "u", "NEARLINE_COUCHBASE_PASSWORD": "p"}
    assert with_login("couchbase://host/b", links | login) == "couchbase://u:p@host/b"
    with pytest.raises(ConfigError, match="NEARLINE_COUCHBASE_PORT is not a setting"):
        with_login("couchbase://host/b", {"NEARLINE_COUCHBASE_PORT": "8091"})


def test_other_variables_are_left_out() -> None:
    assert settings_in({"PATH": "/bin", "A_B": "1", **LINKS}, "A_") == {"A_B": "1"}
