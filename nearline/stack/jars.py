"""Jars, fetched once by Maven: Kafka's and Flink's from the `pom.xml` beside this module."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from nearline.stack.tools import maven
from schemas.errors import ConfigError

_POM = Path(__file__).with_name("pom.xml")


def ensure_jars(target: Path, pom: Path = _POM) -> None:
    """Fetch the jars of `pom` into `target`, unless those of this very file are there. ConfigError quotes Maven."""
    stamp = target / "pom.sha256"
    wanted = hashlib.sha256(pom.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    command = [
        maven(),
        "-q",
        "-B",
        "-f",
        str(pom),
        "dependency:copy-dependencies",
        f"-DoutputDirectory={target}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"Maven could not fetch the jars:\n{(done.stdout + done.stderr)[-2000:]}")
    _flink_plugins(target)
    stamp.write_text(wanted)


def _flink_plugins(target: Path) -> None:
    """Flink loads reporters from one folder each."""
    folder = target / "plugins" / "metrics-prometheus"
    for jar in target.glob("flink-metrics-prometheus-*.jar"):
        folder.mkdir(parents=True, exist_ok=True)
        jar.rename(folder / jar.name)


def kafka_classpath(jars: Path) -> str:
    """Kafka's own jars; Flink's shaded connector stays out of them."""
    return ":".join(str(jar) for jar in sorted(jars.glob("*.jar")) if not jar.name.startswith("flink"))


def connector(jars: Path) -> Path:
    """Flink's Kafka connector."""
    return next(jars.glob("flink-sql-connector-kafka-*.jar"))
