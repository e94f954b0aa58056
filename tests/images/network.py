"""A network as Compose makes one: a namespace for each service on a bridge, and names for their addresses.

It is made inside the network namespace of the calling process, which `make test-images` makes new (`unshare --net`), so
that nothing of it meets the machine's own network.
"""

import subprocess
from collections.abc import Iterable
from pathlib import Path

BRIDGE = "nearline0"


def make(names: Iterable[str], hosts: Path) -> None:
    """Make a namespace of each name, all reachable by their names through the file `hosts` and through /etc/hosts."""
    if len(list(Path("/sys/class/net").iterdir())) > 1 and not _new():
        raise RuntimeError("run `make test-images`: the network of this process is the machine's own")
    ip("link set lo up")
    ip(f"link add {BRIDGE} type bridge")
    ip(f"addr add 172.30.0.1/24 dev {BRIDGE}")
    ip(f"link set {BRIDGE} up")
    lines = ["127.0.0.1 localhost"]
    for number, name in enumerate(names, 2):
        _connect(name, number)
        lines.append(f"172.30.0.{number} {name}")
    hosts.write_text("\n".join(lines) + "\n")
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)


def inside(name: str, command: Iterable[str]) -> list[str]:
    """`command`, to be run in the namespace of a service."""
    return ["ip", "netns", "exec", name, *command]


def processes(name: str) -> list[int]:
    """The processes of a service."""
    return [int(pid) for pid in ip(f"netns pids {name}").split()]


def remove(names: Iterable[str]) -> None:
    """Remove the namespaces; the bridge goes with the process's own."""
    for name in names:
        ip(f"netns delete {name}")


def _new() -> bool:
    """Whether no interface of this namespace is up, as in one that was made just now."""
    return "state UP" not in ip("link show")


def _connect(name: str, number: int) -> None:
    ip(f"netns add {name}")
    ip(f"link add nearline{number} type veth peer name eth0 netns {name}")
    ip(f"link set nearline{number} master {BRIDGE} up")
    for line in (f"addr add 172.30.0.{number}/24 dev eth0", "link set eth0 up", "link set lo up"):
        ip(f"-n {name} {line}")


def ip(arguments: str) -> str:
    """The output of `ip ARGUMENTS`."""
    return subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, text=True).stdout
