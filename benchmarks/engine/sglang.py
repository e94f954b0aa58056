"""How a real SGLang is started: its command line and environment, with a GPU the stock way, else on the CPU.

The benchmarks, the tests against a real SGLang and `docs/model-server.md` all take them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = Path(__file__).parents[2] / ".envs" / "sglang"
"""Where `make sglang-env` installs it."""

CPU_FLAGS = (
    *("--device", "cpu", "--attention-backend", "torch_native", "--sampling-backend", "pytorch"),
    *("--chunked-prefill-size", "-1", "--mem-fraction-static", "0.3", "--skip-server-warmup"),
    "--sleep-on-idle",
)
"""Select SGLang's plain torch code, because its CPU kernels need AMX and its others a GPU.

Without the last flag SGLang uses the CPU while it waits for requests.
"""
CPU_VARIABLES = {"SGLANG_USE_CPU_ENGINE": "1", "SGLANG_CUDA_COREDUMP_BEFORE_CRASH": "0"}
"""With the second variable a server that crashes ends at once; without it it waits a minute for a dump from a GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SglangConfig:
    """What one SGLang serves, where, and how; `more` is appended to its command line."""

    model: Path
    name: str
    """The served name with its generation: `ranker@7`."""
    port: int | str
    """A number, or a placeholder that whoever starts the server fills in."""
    device: str
    """`cpu` or `cuda`."""
    dtype: str = "auto"
    max_tokens: int = 16_384
    """Tokens of all requests in hand together; on a CPU only."""
    radix_cache: bool | None = None
    """Whether prefixes of past requests are kept; None: on a GPU, where that is SGLang's default, not on a CPU."""
    environment: Path = ENVIRONMENT
    more: tuple[str, ...] = ()


def command(config: SglangConfig) -> tuple[str, ...]:
    """The server's command line; `-P` keeps the working directory, with its package `models`, off the import path."""
    cpu = config.device == "cpu"
    radix_cache = not cpu if config.radix_cache is None else config.radix_cache
    return (
        *(str(config.environment / "bin" / "python"), "-P", "-m", "sglang.launch_server"),
        *("--model-path", str(config.model.resolve()), "--served-model-name", config.name),
        *("--host", "127.0.0.1", "--port", str(config.port), "--dtype", config.dtype),
        *((*CPU_FLAGS, "--max-total-tokens", str(config.max_tokens)) if cpu else ()),
        *(() if radix_cache else ("--disable-radix-cache",)),
        *config.more,
    )


def variables(config: SglangConfig) -> dict[str, str]:
    """Return the environment variables that the server needs besides those it inherits."""
    return {"PYTHONPATH": "", **(CPU_VARIABLES if config.device == "cpu" else {})}
