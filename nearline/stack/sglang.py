"""A real SGLang from the environment that `make sglang-env` builds: as it ships on a GPU, else on the CPU."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nearline.stack.component import answers
from nearline.stack.processes import reap, spawn, stop, tail, wait_until
from nearline.stack.supervisor import ComponentFailed
from schemas.errors import ConfigError

ENVIRONMENT = Path(__file__).parents[2] / ".envs" / "sglang"

#: SGLang's plain torch code: its CPU kernels need AMX, its other ones a GPU. Without the last it spins while idle.
_CPU = (
    *("--device", "cpu", "--attention-backend", "torch_native", "--sampling-backend", "pytorch"),
    *("--chunked-prefill-size", "-1", "--mem-fraction-static", "0.3", "--skip-server-warmup"),
    "--sleep-on-idle",
)
#: A server that chokes on a request is gone at once instead of waiting a minute for a GPU's dump.
_CPU_ENV = {"SGLANG_USE_CPU_ENGINE": "1", "SGLANG_CUDA_COREDUMP_BEFORE_CRASH": "0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SglangConfig:
    """What one SGLang serves, where, and how; `more` is appended to its command line."""

    model: Path
    name: str
    """The served name with its generation: `ranker@7`."""
    port: int
    dtype: str = "auto"
    max_tokens: int = 16_384
    """Of all requests in hand together; on a CPU only."""
    radix_cache: bool = False
    """Keep the prefixes of past requests; on a CPU only, a GPU has it."""
    ready_timeout_s: float = 600.0
    environment: Path = ENVIRONMENT
    more: tuple[str, ...] = ()


def has_gpu() -> bool:
    """Whether there is a GPU to serve on."""
    return shutil.which("nvidia-smi") is not None


def installed(environment: Path = ENVIRONMENT) -> bool:
    """Whether `make sglang-env` has been run."""
    return (environment / "bin" / "python").exists()


def command(config: SglangConfig, *, gpu: bool) -> tuple[str, ...]:
    """The server's command line; this directory is kept from its import path, whose `models` is not SGLang's."""
    python = str(config.environment / "bin" / "python")
    common = (
        *(python, "-P", "-m", "sglang.launch_server", "--model-path", str(config.model.resolve())),
        *("--served-model-name", config.name, "--host", "127.0.0.1", "--port", str(config.port)),
        *("--dtype", config.dtype),
    )
    radix = () if config.radix_cache else ("--disable-radix-cache",)
    cpu = (*_CPU, "--max-total-tokens", str(config.max_tokens), *radix)
    return (*common, *(() if gpu else cpu), *config.more)


class SglangServer:
    """A running server, as a context manager; its log and the mark of its processes are under `home`."""

    def __init__(self, config: SglangConfig, home: Path) -> None:
        """Raises ConfigError when the environment is not there."""
        if not installed(config.environment):
            raise ConfigError(f"no SGLang in {config.environment}: run `make sglang-env`")
        self.config = config
        self.url = f"http://127.0.0.1:{config.port}"
        self.log = home / f"sglang-{config.port}.log"
        self._home = home
        self._component = f"sglang-{config.port}"

    def __enter__(self) -> Self:
        """Start it and wait until it answers; ComponentFailed with the end of its log if it does not."""
        gpu = has_gpu()
        self._process = spawn(
            command(self.config, gpu=gpu),
            home=self._home,
            component=self._component,
            log=self.log,
            env={"PYTHONPATH": "", **({} if gpu else _CPU_ENV)},
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
        ready = wait_until(self._answers_or_ended, self.config.ready_timeout_s, 0.5)
        if self._ended() or not ready:
            what = "ended" if self._ended() else f"did not answer in {self.config.ready_timeout_s:g} s"
            raise ComponentFailed(f"SGLang {what}; the end of {self.log}:\n{tail(self.log, 30)}")

    def _answers_or_ended(self) -> bool:
        return self._ended() or answers(f"{self.url}/health")

    def _ended(self) -> bool:
        return self._process.poll() is not None
