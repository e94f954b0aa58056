"""amd-quark 0.13 in its environment: its OSSCAR on a whole model; it keeps multiples of 128 neurons only."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from quark.torch import ModelPruner
from quark.torch.pruning.config import OSSCARConfig, PConfig
from transformers import AutoModelForCausalLM

from benchmarks.pruning.workers.exchange import Task, prompts, run, save_small

ROW_TOKENS = 512
DOWN, SCALED = "mlp.down_proj", ["mlp.gate_proj", "mlp.up_proj"]


def osscar(task: Task) -> dict[str, object]:
    """Prune one neuron a step, quark's default."""
    model = AutoModelForCausalLM.from_pretrained(task["dense"], dtype=torch.float32).eval()
    size = model.config.intermediate_size
    config = OSSCARConfig(
        inside_layer_modules=[DOWN],
        mlp_pruning_modules=[DOWN],
        mlp_scaling_layers={DOWN: SCALED},
        mlp_pruning_ratio=1 - task["kept"] / size,
        mlp_intermediate_size_name="intermediate_size",
        model_decoder_layers="model.layers",
    )
    data = _rows(prompts(task))
    begun = time.monotonic()
    with torch.no_grad():
        model = ModelPruner(PConfig(algo_config=config)).pruning_model(model, data)
    seconds = time.monotonic() - begun
    save_small(model, Path(task["out"]))
    return {"seconds": seconds}


def _rows(ids: list[list[int]]) -> list[torch.Tensor]:
    """All prompts joined and cut into rows of one length, because quark applies the first row's mask to all rows."""
    flat = [token for one in ids for token in one]
    width = min(ROW_TOKENS, len(flat))
    return [torch.tensor([flat[n : n + width]]) for n in range(0, len(flat) - width + 1, width)]


run({"osscar": osscar})
