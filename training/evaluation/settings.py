"""Settings of `nearline evaluate`; the defaults of its options are these fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from models.engine.kernel_cache import KERNEL_CACHE
from models.engine.kernel_choice import AUTO
from schemas.settings import Option, Options

Tell = Callable[[int], None]
"""Called with the number of items scored since the last call."""
Begin = Callable[[str, int], Tell]
"""Called with a system's name and its number of pairs before it scores them."""

BASELINES = ("no-description", "bm25", "bm25-title", "minilm", "random")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricConfig:
    """`k`: where lists are cut; `poor` and `relevant`: which grades are poor matches and which are relevant."""

    k: Annotated[int, Option("Rank at which lists are cut: the k of NDCG@k.", at_least=1)] = 10
    poor: int = 1
    """Grades up to this one are poor matches."""
    relevant: Annotated[int, Option("Least grade that AUC takes for a yes.", at_least=1, at_most=4)] = 3
    """Grades from this one on are relevant to AUC and calibration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapConfig:
    """Resamples of the queries, the seed of their draws, and the share of them inside an interval."""

    resamples: Annotated[int, Option("Bootstrap resamples of the queries.", at_least=100)] = 10_000
    seed: Annotated[int, Option("Seed of the resamples.", at_least=0)] = 0
    confidence: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """Settings by which scores become figures."""

    metrics: Annotated[MetricConfig, Options()] = field(default_factory=MetricConfig)
    bootstrap: Annotated[BootstrapConfig, Options()] = field(default_factory=BootstrapConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerPlace:
    """Where the ranker is: a checkpoint directory, or a model server's URL with the directory of its tokenizer."""

    name: str
    tokenizer: Path | None = None
    device: Annotated[str, Option("auto, cpu or cuda.")] = "auto"
    kernel_cache: Path = KERNEL_CACHE
    """Folder of the engine's compiled C++ kernels."""
    kernels: str = AUTO
    """Which of them compute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """The inputs of one evaluation; `baselines` None means all that are installed; `split` may be `all`."""

    judged: Path
    postings: tuple[Path, ...]
    ranker: RankerPlace
    baselines: Annotated[
        str | None, Option(f"Of {','.join(BASELINES)}; default: all that are installed.")
    ] = None
    split: Annotated[str, Option("train, dev, test or all; rows without one are test.")] = "test"
    save_run: Annotated[Path | None, Option("Write the ranker's TREC run, and the qrels as FILE.qrels.")] = (
        None
    )
    cache: Annotated[Path | None, Option("Folder in which MiniLM's vectors are kept.")] = None
    summarizer: Annotated[
        Path | None,
        Option(
            "All systems read this summarizer's summaries, as alerts do; default: whole texts.", metavar="DIR"
        ),
    ] = None
    beside: tuple[Path, ...] = ()
    """Checkpoint directories of other rankers to compare with, such as the one before."""
    threshold: Annotated[
        float | None,
        Option("`p_yes` at which alerts are counted; default: that of the ranker's calibration, else 0.5."),
    ] = None
