"""A network as Compose makes one: a namespace for each service on a bridge, and names for their addresses.

It is made inside the network and mount namespaces of the calling process, which `make test-images` makes new, so that
nothing of it meets the machine's own network and nothing is left of it.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.docker.manifests import services

BRIDGE = "nearline0"
NAMES = tuple(services())


def address(name: str) -> str:
    """The address of a service."""
    return f"172.30.0.{NAMES.index(name) + 2}"


def make(hosts: Path) -> None:
    """Make a namespace for each service; their names stand in the file `hosts`, which becomes /etc/hosts."""
    if not _new():
        raise RuntimeError("run `make test-images`: the network of this process is the machine's own")
    Path("/run/netns").mkdir(exist_ok=True)
    # names of namespaces that nobody else sees and that nothing has to remove
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
    ip("link set lo up")
    ip(f"link add {BRIDGE} type bridge")
    ip(f"addr add 172.30.0.1/24 dev {BRIDGE}")
    ip(f"link set {BRIDGE} up")
    lines = ["127.0.0.1 localhost"]
    for name in NAMES:
        _connect(name)
        lines.append(f"{address(name)} {name}")
    hosts.write_text("\n".join(lines) + "\n")
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)


def inside(name: str, command: Iterable[str]) -> list[str]:
    """`command`, to be run on the network of a service, under the host name that containers have there."""
    named = ["unshare", "--uts", "sh", "-c", f'hostname {name} && exec "$@"', "sh"]
    return ["ip", "netns", "exec", name, *named, *command]


def processes(name: str) -> list[int]:
    """The processes of a service."""
    return [int(pid) for pid in ip(f"netns pids {name}").split()]


def _new() -> bool:
    """Whether no interface of this namespace is up, as in one that was made just now."""
    return "state UP" not in ip("link show")


def _connect(name: str) -> None:
    number = NAMES.index(name)
    ip(f"netns add {name}")
    ip(f"link add to{number} type veth peer name eth0 netns {name}")
    ip(f"link set to{number} master {BRIDGE} up")
    for line in (f"addr add {address(name)}/24 dev eth0", "link set eth0 up", "link set lo up"):
        ip(f"-n {name} {line}")


def ip(arguments: str) -> str:
    """The output of `ip ARGUMENTS`."""
    return subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, text=True).stdout
