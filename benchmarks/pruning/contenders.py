"""The contenders: our OSSCAR and baselines in this process, peers each in an environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.pruning.workers.exchange import RESULT, Task
from models.pruning import checkpoint as checkpoints
from models.pruning import osscar
from models.pruning.calibration import CalibrationSet
from models.pruning.config import CalibrationSize, MlpPruning, Osscar
from models.pruning.mlp import Solve, prune_mlps
from models.pruning.osscar import Pruned
from models.pruning.states import MemoryStates

ROOT = Path(__file__).parents[2]
PEERS = {
    "fmchisel OSSCAR": ("fmchisel", "fmchisel", "osscar"),
    "amd-quark OSSCAR": ("pruning", "quark", "osscar"),
    "torch-pruning magnitude": ("pruning", "torch_pruning", "magnitude"),
    "torch-pruning Taylor": ("pruning", "torch_pruning", "taylor"),
}
"""For each peer its environment, its worker module and the kind of pruning that it does."""
QUARK_MULTIPLE = 128


class ContenderUnavailable(Exception):
    """A contender cannot run here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The inputs of all contenders: a dense checkpoint, its copy for peers in `folder`, and calibration prompts."""

    dense: Path
    folder: Path
    prompts: Sequence[list[int]]
    threads: int

    def prepare(self) -> None:
        """Write the prompts, and the dense weights in fp32 with a configuration that older loaders read too."""
        copy = self.folder / "dense"
        shutil.copytree(self.dense, copy, dirs_exist_ok=True)
        config = json.loads((copy / "config.json").read_text())
        rope = config.get("rope_parameters") or {}
        config |= {"torch_dtype": "float32", "dtype": "float32"}
        config |= {"rope_theta": rope.get("rope_theta", config.get("rope_theta", 10_000.0))}
        (copy / "config.json").write_text(json.dumps(config))
        weights = load_file(copy / "model.safetensors")
        save_file({k: v.float() for k, v in weights.items()}, copy / "model.safetensors", {"format": "pt"})
        (self.folder / "prompts.json").write_text(json.dumps(self.prompts))


def ours() -> dict[str, Solve]:
    """Our contenders: OSSCAR with one and eight neurons a step, and simpler criteria."""
    return {
        "ours, t = 1": lambda h, b, k: osscar.prune(h, b, k, Osscar(step=1)),
        "ours, t = 8": lambda h, b, k: osscar.prune(h, b, k, Osscar(step=8)),
        "magnitude + least squares": lambda h, b, k: osscar.least_squares(
            h, b, _largest(b.norm(dim=1), k), 0.01
        ),
        "magnitude": lambda h, b, k: _cut(h, b, _largest(b.norm(dim=1), k)),
        "Wanda-sp": lambda h, b, k: _cut(h, b, _largest(h.diagonal().sqrt() * b.norm(dim=1), k)),
    }


def prune_here(bench: Bench, solve: Solve, kept: int, out: Path) -> float:
    """Prune in this process and write `out`; returns the seconds without loading and writing."""
    source = checkpoints.load(bench.dense)
    calibration = CalibrationSet(bench.prompts, CalibrationSize(tokens=10**12))
    share = MlpPruning(keep=kept / source.model.config.intermediate_size)
    begun = time.monotonic()
    prune_mlps(source.model, calibration, MemoryStates(), share, dtype=source.dtype, solve=solve)
    seconds = time.monotonic() - begun
    _store(bench, {k: v for k, v in source.model.state_dict().items() if k != "lm_head.weight"}, kept, out)
    return seconds


def prune_there(bench: Bench, name: str, kept: int, out: Path, *, step: int = 1) -> float:
    """Prune by a peer in its environment and write `out`; returns the seconds that it measured.

    `step`: neurons that fmchisel removes at a time; the other peers have no such setting.
    """
    environment, module, kind = PEERS[name]
    if module == "quark" and kept % QUARK_MULTIPLE:
        raise ContenderUnavailable(f"keeps multiples of {QUARK_MULTIPLE} neurons only")
    task = {
        "kind": kind,
        "dense": str(bench.folder / "dense"),
        "prompts": str(bench.folder / "prompts.json"),
        "kept": kept,
        "step": step,
    }
    folder = bench.folder / f"{module}-{kind}-{kept}"
    seconds = ask(environment, module, task, folder, bench.threads)
    _store(bench, load_file(folder / "model.safetensors"), kept, out)
    return seconds


def ask(environment: str, module: str, task: Task, folder: Path, threads: int) -> float:
    """Run a worker on a task in `folder`; returns the seconds that it measured.

    Raises ContenderUnavailable with the end of the worker's log.
    """
    python = ROOT / ".envs" / environment / "bin" / "python"
    if not python.exists():
        raise ContenderUnavailable(f"no environment: make {environment}-env")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.json").write_text(json.dumps({**task, "out": str(folder), "threads": threads}))
    command = [str(python), "-m", f"benchmarks.pruning.workers.{module}", str(folder / "task.json")]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    with (folder / "log").open("w") as log:
        done = subprocess.run(command, cwd=folder, env=env, stdout=log, stderr=log, check=False)
    if done.returncode:
        last = (folder / "log").read_text().strip().splitlines()[-1:]
        raise ContenderUnavailable(f"failed: {' '.join(last)[:200]}")
    return float(json.loads((folder / RESULT).read_text())["seconds"])


def _store(bench: Bench, weights: dict[str, Tensor], kept: int, out: Path) -> None:
    """Write a copy of the dense directory with these weights in the dense one's dtype."""
    shutil.copytree(bench.dense, out, dirs_exist_ok=True)
    dtype = next(iter(load_file(bench.dense / "model.safetensors").values())).dtype
    save_file(
        {k: v.to(dtype).contiguous() for k, v in weights.items()}, out / "model.safetensors", {"format": "pt"}
    )
    config = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps(config | {"intermediate_size": kept}))


def _largest(scores_P: Tensor, kept: int) -> Tensor:
    return scores_P.topk(kept).indices.sort().values


def _cut(hessian_PP: Tensor, weights_PD: Tensor, rows_K: Tensor) -> Pruned:
    """Keep the chosen rows without changing their weights."""
    kept_KD = weights_PD[rows_K].double()
    error = osscar.reconstruction_error(hessian_PP, weights_PD, rows_K, kept_KD)
    return Pruned(kept_K=rows_K, weights_KD=kept_KD, error=error)
