"""Settings of pruning. This module imports little, because the command line reads its defaults from here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from schemas.errors import ConfigError
from schemas.settings import Option, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Osscar:
    """How OSSCAR runs: `step` neurons are removed at a time.

    `damping` is added to the Hessian's diagonal, as a share of its mean; matrices are updated every `lazy` removals.
    """

    step: Annotated[int, Option("Neurons removed a step; 1 is the most exact.", "--block-size")] = 1
    damping: Annotated[float, Option("Share of the Hessian's mean diagonal added to it.")] = 0.01
    lazy: int = 128

    def __post_init__(self) -> None:
        """Raise ConfigError for a setting out of range."""
        if self.step < 1 or self.lazy < 1:
            raise ConfigError(f"step and lazy are at least 1, not {self.step} and {self.lazy}")
        if not 0 <= self.damping < 1:
            raise ConfigError(f"damping is a share in [0, 1), not {self.damping}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MlpPruning:
    """`keep` is the share of its hidden neurons that each MLP keeps."""

    keep: Annotated[float, Option("Share of the hidden neurons that stay, (0, 1].")] = 0.5
    osscar: Annotated[Osscar, Options()] = field(default_factory=Osscar)

    def __post_init__(self) -> None:
        """Raise ConfigError for a share out of range."""
        if not 0 < self.keep <= 1:
            raise ConfigError(f"keep is a share in (0, 1], not {self.keep}")

    def kept(self, size: int) -> int:
        """Return how many of `size` neurons are kept: at least one."""
        return max(1, round(self.keep * size))


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSize:
    """Most tokens of the set, and of one padded batch; memory holds the activations of one batch."""

    tokens: Annotated[int, Option("Calibration tokens at most.")] = 1_000_000
    batch_tokens: Annotated[int, Option("Tokens of a batch: memory.")] = 8192
