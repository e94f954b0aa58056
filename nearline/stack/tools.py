"""What the stack needs of the machine: a JDK 17, Maven and free ports. An error says what to install or to change."""

import contextlib
import functools
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from nearline.stack.settings import StackSettings
from schemas.errors import ConfigError

_JDK_HINT = (
    "install a JDK 17 (Debian: `apt-get install openjdk-17-jdk-headless`, macOS: `brew install openjdk@17`)"
)


@functools.cache
def java_home() -> Path:
    """The JDK's home: JAVA_HOME when set, else the JDK of `java` on the PATH. ConfigError when absent or too old."""
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
    """The path of the `mvn` command. ConfigError when absent."""
    found = shutil.which("mvn")
    if not found:
        raise ConfigError("Maven is needed once, to fetch Kafka's and Flink's jars: `apt-get install maven`")
    return found


def taken_ports(ports: Mapping[str, int]) -> dict[str, int]:
    """The ports of `ports` (role to number) on which a process of this machine already listens."""
    return {role: port for role, port in ports.items() if listening(port)}


def check_ports(ports: Mapping[str, int]) -> None:
    """Raise ConfigError naming every port that is in use, and how to choose others."""
    taken = taken_ports(ports)
    if taken:
        listed = ", ".join(f"{port} ({role})" for role, port in taken.items())
        raise ConfigError(f"ports in use: {listed}; stop what listens there or choose another --port-base")


def listening(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A loopback port that no process listens on."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """As many different ports, chosen by the system; an outgoing connection may take one before it is listened on."""
    with contextlib.ExitStack() as bound:
        probes = [bound.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def free_port_base(bases: Iterable[int]) -> int:
    """The first of `bases` from which a stack may count its ports: none of them is in use."""
    return next(base for base in bases if not taken_ports(StackSettings(port_base=base).ports))
