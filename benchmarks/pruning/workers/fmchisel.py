"""fmchisel 0.1.2 in its environment: its OSSCAR on a whole model through llmcompressor, and its kernel alone."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from fmchisel.pruning.osscar.base import OSSCARModifier
from fmchisel.pruning.osscar.utils.osscar_sparsify import OSSCAR_fastprune
from llmcompressor import oneshot
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from benchmarks.pruning.workers.exchange import Task, prompts, run, save_small


def osscar(task: Task) -> dict[str, object]:
    """Prune `step` neurons at a time (fmchisel's default: 1), with one prompt a batch, as it does not mask padding."""
    model = AutoModelForCausalLM.from_pretrained(task["dense"], torch_dtype=torch.float32)
    ids = prompts(task)
    data = Dataset.from_dict({"input_ids": ids, "attention_mask": [[1] * len(one) for one in ids]})
    begun = time.monotonic()
    oneshot(
        model=model,
        tokenizer=PreTrainedTokenizerFast(tokenizer_file=f"{task['dense']}/tokenizer.json"),
        dataset=data,
        recipe=[
            OSSCARModifier(
                num_drop_mlp_neuron=model.config.intermediate_size - task["kept"],
                update_iter_mlp=task["step"],
            )
        ],
        max_seq_length=max(map(len, ids)),
        num_calibration_samples=len(ids),
        shuffle_calibration_samples=False,
    )
    seconds = time.monotonic() - begun
    save_small(model, Path(task["out"]))
    return {"seconds": seconds}


def kernel(task: Task) -> dict[str, object]:
    """Prune one layer by its greedy search and least squares, in fp32 as it does itself; H is damped already."""
    hessian = torch.from_numpy(np.load(task["hessian"])).float()
    weights = torch.from_numpy(np.load(task["weights"])).float()
    target = hessian @ weights
    begun = time.monotonic()
    solved, _ = OSSCAR_fastprune(
        weights.clone(), hessian, target, len(weights), task["kept"], False, task["step"]
    )
    seconds = time.monotonic() - begun
    np.save(Path(task["out"]) / "weights.npy", solved.T.numpy())
    return {"seconds": seconds}


run({"osscar": osscar, "kernel": kernel})
