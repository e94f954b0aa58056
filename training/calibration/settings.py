"""Settings of `nearline train calibrate`; the defaults of its options are these fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from models.engine.kernel_cache import KERNEL_CACHE
from models.engine.kernel_choice import AUTO
from schemas.settings import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRun:
    """What is calibrated on what; `split` is never `test`, whose figures must stay those of pairs not seen."""

    ranker: Path
    judged: tuple[Path, ...]
    postings: tuple[Path, ...]
    split: Annotated[
        Literal["train", "dev"], Option("Split of the judged pairs: dev or train, never test.")
    ] = "dev"
    method: Annotated[Literal["platt", "isotonic"], Option("The curve: a line, or isotonic regression.")] = (
        "isotonic"
    )
    relevant: Annotated[int, Option("Least grade that is relevant.", at_least=1, at_most=4)] = 3
    precision: Annotated[
        float, Option("Share of the alerts that must be right at the default threshold.")
    ] = 0.9
    summarizer: Annotated[
        Path | None,
        Option("Texts are this summarizer's summaries, as in alerts; default: whole texts.", metavar="DIR"),
    ] = None
    device: Annotated[str, Option("auto, cpu or cuda.")] = "auto"
    kernel_cache: Path = KERNEL_CACHE
    """Folder of the engine's compiled C++ kernels."""
    kernels: str = AUTO
    """Which of them compute."""
