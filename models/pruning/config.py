"""Settings of pruning; light, for the command line reads its defaults here."""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Osscar:
    """Neurons removed a step, damping as a share of the Hessian's mean diagonal, removals between two updates."""

    step: int = 1
    damping: float = 0.01
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

    keep: float = 0.5
    osscar: Osscar = field(default_factory=Osscar)

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

    tokens: int = 1_000_000
    batch_tokens: int = 8192
