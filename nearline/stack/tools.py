"""What the stack needs of the machine: a JDK 17, Maven, free ports. Each absence says what to install."""

import functools
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from schemas.errors import ConfigError

_JDK_HINT = (
    "install a JDK 17 (Debian: `apt-get install openjdk-17-jdk-headless`, macOS: `brew install openjdk@17`)"
)


@functools.cache
def java_home() -> Path:
    """The JDK's home: JAVA_HOME when set, else where `java` on the PATH lives. ConfigError when absent or too old."""
    home = os.environ.get("JAVA_HOME")
    java = Path(home) / "bin" / "java" if home else Path(shutil.which("java") or "")
    if not java.is_file():
        raise ConfigError(f"no Java found (JAVA_HOME={home or 'unset'}): {_JDK_HINT}")
    shown = subprocess.run([str(java), "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', shown)
    if not version or int(version[1]) < 17:
        raise ConfigError(f"Java 17 or newer is needed, found: {shown.splitlines()[:1]}: {_JDK_HINT}")
    return java.resolve().parent.parent


def maven() -> str:
    """The `mvn` command. ConfigError when absent."""
    found = shutil.which("mvn")
    if not found:
        raise ConfigError("Maven is needed once, to fetch Kafka's and Flink's jars: `apt-get install maven`")
    return found


def taken_ports(ports: Mapping[str, int]) -> dict[str, int]:
    """Those of `ports` (role to number) that something on this machine already listens on."""
    return {role: port for role, port in ports.items() if listening(port)}


def check_ports(ports: Mapping[str, int]) -> None:
    """ConfigError naming every port that is in use and how to move the stack."""
    taken = taken_ports(ports)
    if taken:
        listed = ", ".join(f"{port} ({role})" for role, port in taken.items())
        raise ConfigError(f"ports in use: {listed}; stop what listens there or choose another --port-base")


def listening(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
