"""Settings of `nearline evaluate`; the defaults of its options are these fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Tell = Callable[[int], None]
"""Called with the number of items scored since the last call."""
Begin = Callable[[str, int], Tell]
"""Called with a system's name and its number of pairs before it scores them."""

BASELINES = ("no-description", "bm25", "bm25-title", "minilm", "random")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricConfig:
    """`k`: where lists are cut; `poor` and `relevant`: which grades are poor matches and which are relevant."""

    k: int = 10
    poor: int = 1
    """Grades up to this one are poor matches."""
    relevant: int = 3
    """Grades from this one on are relevant to AUC and calibration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapConfig:
    """Resamples of the queries, the seed of their draws, and the share of them inside an interval."""

    resamples: int = 10_000
    seed: int = 0
    confidence: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """Settings by which scores become figures."""

    metrics: MetricConfig = field(default_factory=MetricConfig)
    bootstrap: BootstrapConfig = field(default_factory=BootstrapConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerPlace:
    """Where the ranker is: a checkpoint directory, or a model server's URL with the directory of its tokenizer."""

    name: str
    tokenizer: Path | None = None
    device: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """The inputs of one evaluation; `baselines` None means all that are installed; `split` may be `all`."""

    judged: Path
    postings: tuple[Path, ...]
    ranker: RankerPlace
    baselines: str | None = None
    split: str = "test"
    save_run: Path | None = None
    cache: Path | None = None
