"""One down projection pruned neuron by neuron: ours, the plain formulas, and fmchisel's kernel on the same matrices."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.common.report import Row
from benchmarks.pruning.contenders import ContenderUnavailable, ask
from models.pruning import osscar
from models.pruning.config import Osscar
from models.pruning.osscar import Pruned


def layer(size: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """XᵀX [size, size] of a random gated MLP's hidden neurons over 4 tokens a neuron, and B [size, width]."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    spectrum = torch.linspace(0, 4, width).neg().exp()
    gate, up = (normal(width, size) * spectrum[:, None] for _ in range(2))
    hessian_PP = torch.zeros(size, size, dtype=torch.float64)
    for _ in range(4):
        tokens = normal(size, width)
        inputs_TP = functional.silu(tokens @ gate) * (tokens @ up)
        hessian_PP += inputs_TP.T @ inputs_TP
    return hessian_PP, normal(size, width).double() / size**0.5


def rows(size: int, width: int, folder: Path, threads: int, *, plain: bool) -> list[Row]:
    """Seconds and error of each implementation, removing half of the neurons one at a time from the same damped H."""
    hessian_PP, weights_PD = layer(size, width)
    hessian_PP = osscar.damp(hessian_PP, 0.01)
    undamped = Osscar(damping=0)
    here: dict[str, Callable[[Tensor, Tensor, int, Osscar], Pruned]] = {"ours": osscar.prune}
    if plain:
        here["plain formulas"] = osscar.prune_plainly
    out = []
    for name, solve in here.items():
        begun = time.monotonic()
        pruned = solve(hessian_PP, weights_PD, size // 2, undamped)
        out.append(_row(f"{name}, fp64", time.monotonic() - begun, pruned.error))
    return [*out, _fmchisel(hessian_PP, weights_PD, folder, threads)]


def _fmchisel(hessian_PP: Tensor, weights_PD: Tensor, folder: Path, threads: int) -> Row:
    folder.mkdir(parents=True, exist_ok=True)
    task: dict[str, object] = {"kind": "kernel", "kept": len(weights_PD) // 2, "step": 1}
    for name, matrix in (("hessian", hessian_PP), ("weights", weights_PD)):
        np.save(folder / f"{name}.npy", matrix.numpy())
        task[name] = str(folder / f"{name}.npy")
    try:
        seconds = ask("fmchisel", "fmchisel", task, folder, threads)
    except ContenderUnavailable as reason:
        return {"kernel": "fmchisel, fp32", "seconds": float("nan"), "error": str(reason)}
    solved_PD = torch.from_numpy(np.load(folder / "weights.npy")).double()
    kept_K = (solved_PD != 0).any(1).nonzero().squeeze(1)
    error = osscar.reconstruction_error(hessian_PP, weights_PD, kept_K, solved_PD[kept_K])
    return _row("fmchisel, fp32", seconds, error)


def _row(name: str, seconds: float, error: float) -> Row:
    return {"kernel": name, "seconds": seconds, "error": f"{error:.6f}"}
