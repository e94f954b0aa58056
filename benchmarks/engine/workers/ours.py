"""This project's engine, called directly; in mode `unshared` it gets every prompt whole, without a shared prefix."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from benchmarks.engine.workers.protocol import Handler, Settings, requests_of, run
from models.engine.base import ScoreJob
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig, SharingMode
from models.engine.kernel_cache import kernel_cache
from models.engine.kernel_choice import TORCH, kernel_choice

VARIANTS: dict[str, dict[str, Any]] = {
    "": {},
    "torch": {"kernels": TORCH},
    "avx2": {"kernels": "avx2"},
    "multi-item": {"mode": SharingMode.MULTI_ITEM},
}


def load(settings: Settings) -> tuple[str, Handler]:
    """Load an engine with the dtype, device and variant of the settings; raises what the engine raises."""
    how: dict[str, Any] = {name: settings[name] for name in ("dtype", "device", "threads")}
    how |= {"kernel_cache": kernel_cache(os.environ), "kernels": kernel_choice(os.environ)}
    engine = CheckpointEngine(Path(settings["path"]), EngineConfig(**how | VARIANTS[settings["mode"]]))

    def score(question: Settings) -> list[list[float]]:
        requests, labels = requests_of(question), settings["labels"]
        if question["mode"] != "unshared":
            jobs = [_job(prefix, items, labels) for prefix, items in requests]
            return [[row[0] for row in rows] for rows in engine.score_many(jobs)]
        alone = [_job(prefix, [item], labels) for prefix, items in requests for item in items]
        scores = iter(rows[0][0] for rows in engine.score_many(alone))
        return [[next(scores) for _ in items] for _, items in requests]

    return f"torch {torch.__version__}", score


def _job(prefix: list[int], items: list[list[int]], labels: list[int]) -> ScoreJob:
    """Prompts of one job share what they begin with, those of different jobs what was named their prefix."""
    return ScoreJob(
        prefix=prefix if len(items) > 1 else [],
        items=items if len(items) > 1 else [prefix + item for item in items],
        labels=[labels] * len(items),
        softmax_over_labels=True,
        temperature=1.0,
    )


if __name__ == "__main__":
    run(load)
