"""Couchbase's own test server as a component of the stack, for demos and tests: it keeps everything in memory.

It lacks durable writes, range scans and collections; its URL (`test_server_url`) asks for none of them.
"""

from pathlib import Path

from nearline.stack.component import Component, answers
from nearline.stack.jars import ensure_jars
from nearline.stack.settings import TEST_BUCKET, TEST_PASSWORD, StackSettings
from nearline.stack.tools import java_home, listening

_POM = Path(__file__).with_name("couchbase-pom.xml")
_MAIN = Path(__file__).with_name("CouchbaseTestServer.java")
# a small heap and a quick start, because the server shares the machine with a whole stack
_JVM = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def ensure_test_server(settings: StackSettings) -> None:
    """Fetch the server's jar by Maven unless it was fetched before. Raises ConfigError."""
    ensure_jars(_jars(settings), _POM)


def couchbase(settings: StackSettings) -> Component:
    """The test server; ready when both of its ports answer."""
    rest, keys = settings.port("couchbase_rest"), settings.port("couchbase")
    classpath = ":".join(str(jar) for jar in sorted(_jars(settings).glob("*.jar")))
    command = (str(java_home() / "bin" / "java"), *_JVM, "-cp", classpath, str(_MAIN))
    return Component(
        name="couchbase",
        command=(*command, str(rest), str(keys), TEST_BUCKET, TEST_PASSWORD),
        ready=lambda: listening(keys) and answers(f"http://127.0.0.1:{rest}/pools"),
    )


def _jars(settings: StackSettings) -> Path:
    return settings.jars.with_name("jars-couchbase")
