"""torch-pruning 1.6.1 in its environment: hidden neurons by group magnitude or Taylor importance; weights stay."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
import torch_pruning
from transformers import AutoModelForCausalLM

from benchmarks.pruning.workers.exchange import Task, prompts, run, save_small

TAYLOR_PROMPTS = 256


def magnitude(task: Task) -> dict[str, object]:
    """L2 norm of each neuron's rows of gate and up and column of down."""
    return _prune(task, torch_pruning.importance.GroupMagnitudeImportance(p=2, group_reduction="mean"))


def taylor(task: Task) -> dict[str, object]:
    """First-order Taylor of the language-model loss on the first calibration prompts."""
    return _prune(
        task, torch_pruning.importance.GroupTaylorImportance(group_reduction="mean"), gradients=True
    )


def _prune(task: Task, importance: Any, *, gradients: bool = False) -> dict[str, object]:
    model = AutoModelForCausalLM.from_pretrained(task["dense"], dtype=torch.float32).eval()
    model.config.use_cache = False
    ids = prompts(task)
    begun = time.monotonic()
    if gradients:
        for one in ids[:TAYLOR_PROMPTS]:
            model(input_ids=torch.tensor([one]), labels=torch.tensor([one])).loss.backward()
    graph = torch_pruning.DependencyGraph().build_dependency(model, torch.tensor([ids[0][:16]]))
    for layer in model.model.layers:
        _shrink(graph, layer.mlp.up_proj, importance, task["kept"])
    model.config.intermediate_size = task["kept"]
    seconds = time.monotonic() - begun
    save_small(model, Path(task["out"]))
    return {"seconds": seconds}


def _shrink(graph: Any, linear: Any, importance: Any, kept: int) -> None:
    prune = torch_pruning.prune_linear_out_channels
    group = graph.get_pruning_group(linear, prune, idxs=list(range(linear.out_features)))
    order = importance(group).argsort()
    drop = order[: linear.out_features - kept].tolist()
    graph.get_pruning_group(linear, prune, idxs=drop).prune()


run({"magnitude": magnitude, "taylor": taylor})
