"""The services of `docker/compose.yaml`, run by buildah under their images' users and entry points."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nearline.stack.processes import tail, wait_until
from tests.docker.manifests import services
from tests.images import network

#: chroot in the place of namespaces works on any machine, inside a container too.
BUILDAH = {"BUILDAH_ISOLATION": "chroot"}


def buildah(*arguments: str) -> str:
    """The output of a buildah command."""
    done = subprocess.run(
        ["buildah", *arguments], env=BUILDAH | os.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"buildah {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout.strip()


class Composed:
    """Services of the compose file, each in a container and on a network of its own.

    `replaced`: words of commands and environments, and what takes their place. `mounts`: folders by their place in the
    containers; volumes of the compose file are folders of the container instead.
    """

    def __init__(self, home: Path, replaced: Mapping[str, str], mounts: Mapping[str, Path]) -> None:
        self._home, self._replaced, self._mounts = home, replaced, mounts
        self._services = services()
        self._containers: dict[str, str] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *more: str) -> None:
        """Start a service; `more` replaces its command, as `docker compose run SERVICE MORE` does."""
        command = self._run(name, [*self._entrypoint(name), *(more or self._command(name))])
        with self.log(name).open("ab") as out:
            self._running[name] = subprocess.Popen(
                command, env=BUILDAH | os.environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def finish(self, name: str, timeout_s: float) -> int:
        """Wait for the end of a service and return its exit status."""
        return self._running[name].wait(timeout_s)

    def await_health(self, name: str, timeout_s: float) -> None:
        """Wait until the service's own health check passes; what ends meanwhile is started again."""
        check = self._services[name]["healthcheck"]["test"][1:]

        def healthy() -> bool:
            self.restart_ended()
            return self.run(name, check).returncode == 0

        assert wait_until(healthy, timeout_s, 3.0), (
            f"{name} is not healthy; its log ends with\n{tail(self.log(name), 40)}"
        )

    def run(self, name: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command in a service's container and network, as `docker compose exec` does."""
        return subprocess.run(
            self._run(name, command), env=BUILDAH | os.environ, capture_output=True, text=True, check=False
        )

    def kill(self, name: str) -> None:
        """`kill -9` of every process of a service."""
        for pid in network.processes(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._running.pop(name).wait(30)

    def stop(self, name: str, timeout_s: float = 30.0) -> bool:
        """End a service as a container runtime does, by SIGTERM; whether SIGKILL was not needed."""
        ours = self._running[name].pid
        for pid in network.processes(name):
            if pid != ours and not is_buildah(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        ended = wait_until(lambda: self._running[name].poll() is not None, timeout_s)
        self.kill(name)
        return ended

    def close(self) -> None:
        """Kill what still runs and remove the containers."""
        for name in list(self._running):
            self.kill(name)
        for container in self._containers.values():
            buildah("rm", container)

    def restart_ended(self) -> None:
        """Start each service again that ended by itself and whose `restart` says so, as a container runtime does."""
        for name, process in list(self._running.items()):
            if process.poll() is not None and self._services[name].get("restart") == "unless-stopped":
                self.start(name)

    def log(self, name: str) -> Path:
        """The output of a service."""
        return self._home / f"{name}.log"

    def _run(self, name: str, command: Sequence[str]) -> list[str]:
        environment = self._services[name].get("environment", {})
        options = ["--no-hosts", f"--volume={self._hosts(name)}:/etc/hosts:ro"]
        options += [f"--env={key}={self._now(value)}" for key, value in environment.items()]
        options += [f"--volume={source}:{target}:ro" for target, source in self._mounts.items()]
        return network.inside(name, ["buildah", "run", *options, self._container(name), "--", *command])

    def _hosts(self, name: str) -> Path:
        """The names of all services, and the name that buildah gives a container as its host."""
        known = (self._home / "hosts").read_text()
        host = buildah("inspect", "--format", "{{.ContainerID}}", self._container(name))[:12]
        own = self._home / f"{name}.hosts"
        own.write_text(f"{known}{network.address(name)} {host}\n")
        return own

    def _container(self, name: str) -> str:
        if name not in self._containers:
            image = f"localhost/{self._services[name]['image']}"
            self._containers[name] = buildah("from", "--pull-never", "--quiet", image)
            # here and not in each `buildah run`, whose mount namespaces would mount the same files twice
            buildah("mount", self._containers[name])
        return self._containers[name]

    def _entrypoint(self, name: str) -> list[str]:
        own = self._services[name].get("entrypoint")
        return own or self.image(name)["Entrypoint"] or []

    def _command(self, name: str) -> list[str]:
        own: Iterable[str] | None = self._services[name].get("command")
        return [self._now(word) for word in own or self.image(name)["Cmd"]]

    def image(self, name: str) -> dict[str, Any]:
        """What the image of a service says of how it is run."""
        shown: dict[str, Any] = json.loads(buildah("inspect", self._container(name)))
        config: dict[str, Any] = shown["OCIv1"]["config"]
        return {"Entrypoint": None, "Cmd": None} | config

    def _now(self, word: str) -> str:
        return self._replaced.get(word, word)


def is_buildah(pid: int) -> bool:
    """Whether a process is buildah itself, around what it runs."""
    with contextlib.suppress(OSError):
        return "buildah" in Path(f"/proc/{pid}/exe").resolve().name
    return False
