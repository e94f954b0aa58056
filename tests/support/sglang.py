"""A real SGLang beside our server, from the environment that `make sglang-env` builds."""

import shutil
import subprocess
from pathlib import Path
from typing import Self

from benchmarks.engine.sglang import ENVIRONMENT, SglangConfig, command, variables
from nearline.stack.component import answers
from nearline.stack.processes import reap, spawn, stop, tail, wait_until
from nearline.stack.supervisor import ComponentFailed
from schemas.errors import ConfigError


def device() -> str:
    """Return the device to serve on."""
    return "cpu" if shutil.which("nvidia-smi") is None else "cuda"


def installed(environment: Path = ENVIRONMENT) -> bool:
    """Return whether `make sglang-env` has been run."""
    return (environment / "bin" / "python").exists()


class SglangServer:
    """A running server, as a context manager; its log and the mark of its processes are under `home`."""

    def __init__(self, config: SglangConfig, home: Path, ready_timeout_s: float = 600.0) -> None:
        """Raise ConfigError when the environment is not there."""
        if not installed(config.environment):
            raise ConfigError(f"no SGLang in {config.environment}: run `make sglang-env`")
        self._config, self._ready_timeout_s = config, ready_timeout_s
        self.url = f"http://127.0.0.1:{config.port}"
        self.log = home / f"sglang-{config.port}.log"
        self._home = home
        self._component = f"sglang-{config.port}"

    def __enter__(self) -> Self:
        """Start it and wait until it answers; ComponentFailed with the end of its log if it does not."""
        self._process = spawn(
            command(self._config),
            home=self._home,
            component=self._component,
            log=self.log,
            env=variables(self._config),
        )
        try:
            self._await()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop it and whatever it has started."""
        stop(self._process, 15.0)
        reap(self._home, self._component)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The server's first process."""
        return self._process

    def _await(self) -> None:
        ready = wait_until(self._answers_or_ended, self._ready_timeout_s, 0.5)
        if self._ended() or not ready:
            what = "ended" if self._ended() else f"did not answer in {self._ready_timeout_s:g} s"
            raise ComponentFailed(f"SGLang {what}; the end of {self.log}:\n{tail(self.log, 30)}")

    def _answers_or_ended(self) -> bool:
        return self._ended() or answers(f"{self.url}/health")

    def _ended(self) -> bool:
        return self._process.poll() is not None
