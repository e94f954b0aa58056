"""The contenders by names such as `vllm:bfloat16`, and how each is started, with the fastest settings known to us."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.engine.contenders import Contender, Worker, WorkerContender
from benchmarks.engine.processes import ContenderUnavailable
from benchmarks.engine.servers import GENERATIVE_SCORING, MODEL, SCORE, Server
from benchmarks.engine.sglang import SglangConfig, command, variables
from benchmarks.engine.shapes import ROOT
from benchmarks.engine.workload import LABELS

ENVIRONMENTS = ROOT / ".envs"
OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
"""Keeps torch and the libraries that it multiplies with to the instructions of a processor without AVX-512."""


@dataclass(slots=True, kw_only=True)
class EngineSetup:
    """One checkpoint on one device, and the worker processes that have loaded it, by their arguments."""

    path: Path
    device: str
    threads: int
    logs: Path
    product: tuple[int, int, int] = (2000, 1024, 3072)
    """Rows, inner width and columns of the matrix product whose speed is the peak."""
    workers: dict[tuple[str, ...], Worker] = field(default_factory=dict)

    def log(self, *name: str) -> Path:
        """The log file of a process."""
        return self.logs / f"{'-'.join((self.path.name, *filter(None, name)))}.log"


def contender(name: str, setup: EngineSetup) -> Contender:
    """The contender with the name `kind:dtype`; ContenderUnavailable for an unknown kind."""
    kind, _, dtype = name.partition(":")
    if kind not in KINDS:
        raise ContenderUnavailable(f"unknown: one of {', '.join(KINDS)}")
    return KINDS[kind](setup, dtype or "float32")


def worker(
    module: str,
    setup: EngineSetup,
    dtype: str,
    mode: str = "",
    python: Path | None = None,
    limit: Mapping[str, str] = {},
) -> Worker:
    """The worker process for these arguments, made at the first call with them; `limit`: variables of its own."""
    key = (module, dtype, mode, *([python.parents[1].name] if python else []), *limit.values())
    if key not in setup.workers:
        settings = {
            "path": setup.path,
            "dtype": dtype,
            "mode": mode,
            "device": setup.device,
            "threads": setup.threads,
            "labels": LABELS,
            "product": setup.product,
        }
        threads = dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS"), str(setup.threads))
        env = OFFLINE | threads | {"PYTHONPATH": str(ROOT), **limit}
        setup.workers[key] = Worker(python or Path(sys.executable), module, settings, env, setup.log(*key))
    return setup.workers[key]


def _ours(mode: str, asked: str = "") -> Callable[[EngineSetup, str], Contender]:
    return lambda setup, dtype: WorkerContender(worker("ours", setup, dtype, mode), asked)


def _hugging_face(mode: str, limit: Mapping[str, str] = {}) -> Callable[[EngineSetup, str], Contender]:
    return lambda setup, dtype: WorkerContender(worker("hugging_face", setup, dtype, limit=limit), mode)


def _llama_cpp(environment: str) -> Callable[[EngineSetup, str], Contender]:
    def build(setup: EngineSetup, dtype: str) -> Contender:
        python = _python(environment, f"make {environment}-env")
        return WorkerContender(worker("llama_cpp", setup, dtype, python=python), "")

    return build


def _our_server(setup: EngineSetup, dtype: str) -> Contender:
    command = [sys.executable, "-m", "models.server", "--ranker", str(setup.path), "--port", "{port}"]
    command += ["--dtype", dtype, "--device", setup.device, "--threads", str(setup.threads)]
    return Server(command, OFFLINE, SCORE, setup.log("ours-server", dtype), "this repository")


def _vllm(limit: Mapping[str, str] = {}) -> Callable[[EngineSetup, str], Contender]:
    def build(setup: EngineSetup, dtype: str) -> Contender:
        python = _python("vllm", "make vllm-env")
        command = [str(python), "-P", "-m", "vllm.entrypoints.openai.api_server", "--model", str(setup.path)]
        command += [
            "--dtype",
            dtype,
            "--port",
            "{port}",
            "--host",
            "127.0.0.1",
            "--served-model-name",
            MODEL,
        ]
        command += ["--max-model-len", "2048", "--disable-uvicorn-access-log"]
        env = OFFLINE | {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONPATH": ""}
        if setup.device == "cpu":
            command += ["--enforce-eager", "--max-num-batched-tokens", "4096"]
            env |= {
                # without it one core is kept free
                "VLLM_CPU_OMP_THREADS_BIND": f"0-{setup.threads - 1}",
                "VLLM_CPU_KVCACHE_SPACE": "1",
                "OMP_NUM_THREADS": str(setup.threads),
            }
            openmp = python.parents[1] / "lib" / "libiomp5.so"
            env |= {**limit, **({"LD_PRELOAD": str(openmp)} if openmp.exists() else {})}
        return Server(
            command,
            env,
            GENERATIVE_SCORING,
            setup.log("vllm", dtype, *limit.values()),
            _version(python, "vllm"),
        )

    return build


def _sglang(*, radix: bool) -> Callable[[EngineSetup, str], Contender]:
    def build(setup: EngineSetup, dtype: str) -> Contender:
        python = _python("sglang", "make sglang-env")
        cpu = setup.device == "cpu"
        config = SglangConfig(
            model=setup.path,
            name=MODEL,
            port="{port}",
            device=setup.device,
            dtype=dtype,
            max_tokens=8_192,
            radix_cache=radix,
            environment=python.parents[1],
            more=("--watchdog-timeout", "100000", *(() if cpu else ("--skip-server-warmup",))),
        )
        env = OFFLINE | variables(config) | ({"OMP_NUM_THREADS": str(setup.threads)} if cpu else {})
        name = "sglang" if radix else "sglang-noradix"
        return Server(command(config), env, SCORE, setup.log(name, dtype), _version(python, "sglang"))

    return build


KINDS: dict[str, Callable[[EngineSetup, str], Contender]] = {
    "ours": _ours(""),
    "ours-avx2": _ours("avx2"),
    "ours-torch": _ours("torch"),
    "ours-multi-item": _ours("multi-item"),
    "ours-unshared": _ours("", "unshared"),
    "ours-server": _our_server,
    "hf-padded": _hugging_face("padded"),
    "hf-single": _hugging_face("single"),
    "hf-padded-avx2": _hugging_face("padded", AVX2),
    "hf-single-avx2": _hugging_face("single", AVX2),
    "sglang": _sglang(radix=True),
    "sglang-noradix": _sglang(radix=False),
    "vllm": _vllm(),
    "vllm-avx2": _vllm(AVX2),
    "llamacpp": _llama_cpp("llamacpp"),
    "llamacpp-avx2": _llama_cpp("llamacpp-avx2"),
}


def _python(environment: str, target: str) -> Path:
    path = ENVIRONMENTS / environment / "bin" / "python"
    if not path.exists():
        raise ContenderUnavailable(f"no environment: `{target}` builds it")
    return path


def _version(python: Path, package: str) -> str:
    """`package version, torch version` of an environment."""
    listed = subprocess.run(
        [str(python), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ""},
    )
    found = {entry["name"]: entry["version"] for entry in json.loads(listed.stdout or "[]")}
    names = [name for name in found if name == "torch" or name.startswith(package)]
    return ", ".join(f"{name} {found[name]}" for name in sorted(names, reverse=True))
