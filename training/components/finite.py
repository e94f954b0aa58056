"""What a model in training must never have: losses, weights or scores that are not finite."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from schemas.errors import TrainingDiverged


def check_number(value: float, what: str) -> float:
    """Return a number; TrainingDiverged, which names `what` it is, unless it is finite."""
    if not math.isfinite(value):
        raise TrainingDiverged(f"{what} is {value}")
    return value


def check_weights(weights: Mapping[str, Tensor]) -> None:
    """Raise TrainingDiverged, which names the first tensor with a value that is not finite."""
    for name, tensor in weights.items():
        if not torch.isfinite(tensor).all():
            raise TrainingDiverged(f"the weights {name} are not finite")


@contextmanager
def sound(step: int, run: Path) -> Iterator[None]:
    """Tell at which step training diverged, and that what the run's directory holds is older and whole."""
    try:
        yield
    except TrainingDiverged as error:
        raise TrainingDiverged(
            f"step {step}: {error}; what {run} holds was saved before and is intact: train again with a lower rate"
        ) from error
