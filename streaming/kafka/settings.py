"""Connection to the brokers: one settings class for all clients, written out for kafka-python and for Java's client.

An environment variable for each field: NEARLINE_KAFKA_ and its name in capitals, such as
NEARLINE_KAFKA_SECURITY_PROTOCOL=SASL_SSL. Certificates are PEM files on every machine that runs a client.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from schemas.environment import settings_in
from schemas.errors import ConfigError
from schemas.settings import Option, rows

PREFIX = "NEARLINE_KAFKA_"
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

#: kafka-python's default lets it wait 30 s and more between attempts, after a broker is back already.
MAX_RECONNECT_BACKOFF_MS = 2_000
#: Package of the Kafka client inside Flink's SQL connector, in which a JAAS line must name the login module.
FLINK_PACKAGE = "org.apache.flink.kafka.shaded.org.apache.kafka"


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """Brokers, TLS and SASL. Raises ConfigError for a combination that no broker accepts."""

    bootstrap: Annotated[str, Option("Kafka's brokers, HOST:PORT,…; `--bootstrap` wins.")] = "127.0.0.1:9092"
    security_protocol: Annotated[str, Option(f"One of {', '.join(PROTOCOLS)}.")] = "PLAINTEXT"
    sasl_mechanism: Annotated[str, Option(f"One of {', '.join(MECHANISMS)}.")] = "PLAIN"
    sasl_username: Annotated[str, Option("Login, with SASL.")] = ""
    sasl_password: Annotated[str, Option("Its password; a secret.")] = field(default="", repr=False)
    ssl_cafile: Annotated[str, Option("The authority's certificate, PEM; default: those of the system.")] = ""
    ssl_certfile: Annotated[
        str,
        Option(
            "The client's certificate chain and its PKCS #8 key in one file, PEM, which both clients can read."
        ),
    ] = ""
    ssl_key_password: Annotated[str, Option("Password of that key; a secret.")] = field(
        default="", repr=False
    )
    ssl_check_hostname: Annotated[
        bool, Option("`true` or `false`: whether the broker's certificate must carry its name.")
    ] = True

    def __post_init__(self) -> None:
        _one_of("security_protocol", self.security_protocol, PROTOCOLS)
        _one_of("sasl_mechanism", self.sasl_mechanism, MECHANISMS)
        if self.uses_sasl and not (self.sasl_username and self.sasl_password):
            raise ConfigError(
                f"security_protocol {self.security_protocol} needs sasl_username and sasl_password "
                f"({PREFIX}SASL_USERNAME, {PREFIX}SASL_PASSWORD)"
            )

    @property
    def uses_sasl(self) -> bool:
        """Whether the client logs in with user and password."""
        return self.security_protocol.startswith("SASL_")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, bootstrap: str = "") -> "KafkaSettings":
        """The settings in `environ`; `bootstrap`, when given, replaces its variable.

        ConfigError for a name that is no setting, unless a cluster set the variable for one of its services.
        """
        known = {PREFIX + row.field.upper(): row for row in rows(cls)}
        given: dict[str, Any] = {}
        for name, text in settings_in(environ, PREFIX).items():
            if name not in known:
                raise ConfigError(f"{name} is not a setting; known are {', '.join(known)}")
            given[known[name].field] = _boolean(name, text) if known[name].kind is bool else text
        return cls(**given | ({"bootstrap": bootstrap} if bootstrap else {}))

    def python(self) -> dict[str, Any]:
        """Keyword arguments for kafka-python's producer, consumer and admin client."""
        made: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security_protocol,
            "reconnect_backoff_max_ms": MAX_RECONNECT_BACKOFF_MS,
        }
        if self.uses_sasl:
            made |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        if self.uses_tls:
            made |= {
                "ssl_check_hostname": self.ssl_check_hostname,
                "ssl_cafile": self.ssl_cafile or None,
                "ssl_certfile": self.ssl_certfile or None,
                "ssl_password": self.ssl_key_password or None,
            }
        return made

    def java(self, *, package: str = "org.apache.kafka") -> dict[str, str]:
        """Properties for Java's client; `package`: the Java package of its classes (`FLINK_PACKAGE` inside Flink)."""
        made = {"bootstrap.servers": self.bootstrap, "security.protocol": self.security_protocol}
        if self.uses_sasl:
            made |= {"sasl.mechanism": self.sasl_mechanism, "sasl.jaas.config": self._jaas(package)}
        if self.uses_tls:
            made |= self._java_tls()
        return made

    def _java_tls(self) -> dict[str, str]:
        made: dict[str, str] = {}
        if self.ssl_cafile:
            made |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": self.ssl_cafile}
        if self.ssl_certfile:
            made |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": self.ssl_certfile}
        if self.ssl_key_password:
            made["ssl.key.password"] = self.ssl_key_password
        if not self.ssl_check_hostname:
            made["ssl.endpoint.identification.algorithm"] = ""
        return made

    def _jaas(self, package: str) -> str:
        module = "plain.PlainLoginModule" if self.sasl_mechanism == "PLAIN" else "scram.ScramLoginModule"
        return (
            f"{package}.common.security.{module} required "
            f'username="{_quoted(self.sasl_username)}" password="{_quoted(self.sasl_password)}";'
        )


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigError(f"{name} {value!r} is not one of {', '.join(allowed)}")


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ConfigError(f"{name} is {text!r}; write true or false")
    return text.lower() == "true"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
