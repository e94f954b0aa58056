"""What stands in `docker/`: Kubernetes objects, compose services, and the command lines in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DOCKER = Path(__file__).parents[2] / "docker"


def objects() -> list[dict[str, Any]]:
    """Every object of `docker/k8s`."""
    files = sorted((DOCKER / "k8s").glob("*.yaml"))
    return [one for file in files for one in yaml.safe_load_all(file.read_text()) if one]


def of_kind(kind: str) -> dict[str, Any]:
    """The only object of its kind."""
    (found,) = [one for one in objects() if one["kind"] == kind]
    return found


def services() -> dict[str, dict[str, Any]]:
    """The services of the compose file."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    return found


def containers() -> Iterator[dict[str, Any]]:
    """The containers of every pod that an object makes."""
    for one in objects():
        yield from one.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())


def command_lines() -> Iterator[list[str]]:
    """Every command of ours in pods and services."""
    for container in containers():
        yield [*container["command"], *container.get("args", ())]
    for service in services().values():
        if isinstance(service.get("command"), list):
            yield service["command"]


def arguments_of(module: str) -> list[list[str]]:
    """What follows `-m module` (or `-pym module`) wherever it is started."""
    lines = [line for line in command_lines() if module in line]
    return [line[line.index(module) + 1 :] for line in lines]
