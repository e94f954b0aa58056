"""A small extractive summarizer: the shipped ranker's first layers under a head of random weights."""

from pathlib import Path

import pytest
import torch

from nearline.cli.options import CHECKPOINTS
from training.rl.extractive import ExtractiveActor


@pytest.fixture(scope="package")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint directory whose logits differ from phrase to phrase."""
    out = tmp_path_factory.mktemp("extractive") / "summarizer"
    actor = ExtractiveActor.from_ranker(CHECKPOINTS / "ranker-tiny")
    state = actor.state()
    state["head.out.weight"] = torch.randn(
        state["head.out.weight"].shape, generator=torch.Generator().manual_seed(1)
    )
    actor.restore(state)
    actor.save(out)
    return out
