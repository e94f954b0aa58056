"""What parent and peers exchange: a task as JSON, calibration ids, plain weights. Needs torch and safetensors."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

Task = dict[str, Any]
RESULT = "result.json"


def prompts(task: Task) -> list[list[int]]:
    """The calibration prompts, all of them, in the order in which everybody reads them."""
    ids: list[list[int]] = json.loads(Path(task["prompts"]).read_text())
    return ids


def save_small(model: Any, out: Path) -> None:
    """Weights [fp32] of a model whose down projections have zero columns, or lost them, without those neurons."""
    weights: dict[str, Tensor] = dict(model.state_dict())
    for number in range(model.config.num_hidden_layers):
        mlp = f"model.layers.{number}.mlp"
        down = weights[f"{mlp}.down_proj.weight"]
        kept = (down != 0).any(0).nonzero().squeeze(1)
        weights[f"{mlp}.down_proj.weight"] = down[:, kept]
        for name in ("gate_proj", "up_proj"):
            rows = weights[f"{mlp}.{name}.weight"]
            weights[f"{mlp}.{name}.weight"] = rows[kept] if len(rows) == down.shape[1] else rows
    plain = {k: v.detach().float().contiguous().clone() for k, v in weights.items() if k != "lm_head.weight"}
    save_file(plain, out / "model.safetensors", metadata={"format": "pt"})


def run(kinds: dict[str, Callable[[Task], dict[str, object]]]) -> None:
    """Do the task that the command line names, and write what it took into RESULT of its folder."""
    task: Task = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(int(task["threads"]))
    out = Path(task["out"])
    out.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    said = kinds[task["kind"]](task)
    (out / RESULT).write_text(json.dumps({"seconds": time.monotonic() - begun, **said}))
