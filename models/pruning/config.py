"""Settings of pruning; light, for the command line reads its defaults here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from schemas.errors import ConfigError
from schemas.settings import Option, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Osscar:
    """Neurons removed a step, damping as a share of the Hessian's mean diagonal, removals between two updates."""

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
    """Share of the hidden neurons that every MLP keeps, and how they are chosen."""

    keep: Annotated[float, Option("Share of the hidden neurons that stay, (0, 1].")] = 0.5
    osscar: Annotated[Osscar, Options()] = field(default_factory=Osscar)

    def __post_init__(self) -> None:
        """Raise ConfigError for a share out of range."""
        if not 0 < self.keep <= 1:
            raise ConfigError(f"keep is a share in (0, 1], not {self.keep}")

    def kept(self, size: int) -> int:
        """Neurons kept of `size`, at least one."""
        return max(1, round(self.keep * size))


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSize:
    """Tokens at most, and tokens of one padded batch (memory: a batch's activations)."""

    tokens: Annotated[int, Option("Calibration tokens at most.")] = 1_000_000
    batch_tokens: Annotated[int, Option("Tokens of a batch: memory.")] = 8192
