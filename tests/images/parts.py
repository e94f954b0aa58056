"""What stands for the compose file's two published images: Kafka from its jars, Couchbase's test server."""

import subprocess
from pathlib import Path

from nearline.stack.broker import cluster_id
from nearline.stack.jars import ensure_jars, kafka_classpath
from nearline.stack.settings import TEST_BUCKET, TEST_PASSWORD
from nearline.stack.tools import java_home
from storage.couchbase.url import for_cache
from tests.docker.manifests import DOCKER, services
from tests.images import network

STACK = DOCKER.parent / "nearline" / "stack"
JARS = DOCKER.parent / "build" / "jars"
COUCHBASE_JARS = DOCKER.parent / "build" / "jars-couchbase"
# by address: the SDK asks a name server for names, and this network has none
STORE = f"couchbase://{network.address('couchbase')}:11210/{TEST_BUCKET}?durability=none&scan=views"
#: Words of the compose file that name the real Couchbase, and what names the test server.
REPLACED = {
    "couchbase://couchbase/nearline/jobs/features": STORE,
    "couchbase://couchbase/nearline/jobs/cache?purpose=cache": for_cache(STORE),
    "${NEARLINE_COUCHBASE_USERNAME:-nearline}": TEST_BUCKET,
    "${NEARLINE_COUCHBASE_PASSWORD:?the login of the nearline path}": TEST_PASSWORD,
}


def fetch() -> None:
    """Fetch the jars of both by Maven, unless they are there."""
    ensure_jars(JARS)
    ensure_jars(COUCHBASE_JARS, STACK / "couchbase-pom.xml")


def kafka(home: Path) -> subprocess.Popen[bytes]:
    """Start a broker with the environment of the compose file, read as the published image reads it."""
    environment = {**services()["kafka"]["environment"], "KAFKA_LOG_DIRS": home / "kafka"}
    lines = [f"{_property(name)}={value}" for name, value in environment.items()]
    config = home / "server.properties"
    config.write_text("\n".join(lines))
    java = _java(kafka_classpath(JARS), "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
    tool = [*java, "kafka.tools.StorageTool", "format", "-t", cluster_id(bytes(range(16))), "-c", str(config)]
    subprocess.run(tool, check=True, capture_output=True)
    return _start("kafka", home, [*java, "kafka.Kafka", str(config)])


def couchbase(home: Path) -> subprocess.Popen[bytes]:
    """Start the test server at the address of the compose file's service."""
    classpath = ":".join(str(jar) for jar in sorted(COUCHBASE_JARS.glob("*.jar")))
    java = _java(classpath, "-Xmx384m", "-XX:+UseSerialGC")
    arguments = ("8091", "11210", TEST_BUCKET, TEST_PASSWORD, network.address("couchbase"))
    return _start("couchbase", home, [*java, str(STACK / "CouchbaseTestServer.java"), *arguments])


def _property(name: str) -> str:
    """KAFKA_LOG_DIRS is log.dirs."""
    return name.removeprefix("KAFKA_").lower().replace("_", ".")


def _java(classpath: str, *options: str) -> list[str]:
    return [str(java_home() / "bin" / "java"), *options, "-cp", classpath]


def _start(name: str, home: Path, command: list[str]) -> subprocess.Popen[bytes]:
    with (home / f"{name}.log").open("ab") as out:
        return subprocess.Popen(network.inside(name, command), stdout=out, stderr=out)
