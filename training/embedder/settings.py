"""Settings of the embedder's training; light, because command lines read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from schemas.settings import Option, Options
from training.tiny.settings import RealData

CHECKPOINTS = Path(__file__).resolve().parents[2] / "models/checkpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderTraining:
    """One run, which lasts `minutes` of each thread's processor time or `steps`, whichever is shorter."""

    out: Annotated[Path, Option("Checkpoint directory to write.")]
    name: Annotated[str, Option("Name in answers and records, NAME@GENERATION.")] = "embedder@1"
    minutes: Annotated[float, Option("Minutes of training, of each thread's processor time.")] = 13.0
    steps: Annotated[int, Option("Stop after so many steps at the latest.")] = 1_000_000
    seed: Annotated[int, Option("Seed of the weights and of everything that is drawn.")] = 1
    threads: Annotated[int, Option("Processor threads.")] = 1
    compile: Annotated[bool, Option("Compile the forward and backward pass.")] = False
    postings: Annotated[int, Option("Training postings of each domain, at most.")] = 1600
    wordings: Annotated[
        int, Option("Titles and skills of the public lists that MiniLM reads, of each at most.")
    ] = 6000
    queries: Annotated[int, Option("Queries of a step.")] = 10
    ranker: Annotated[
        Path, Option("Ranker that grades queries in free wordings: a checkpoint directory.")
    ] = CHECKPOINTS / "ranker-tiny"
    summarizer: Annotated[Path, Option("Extractive summarizer of the postings: a checkpoint directory.")] = (
        CHECKPOINTS / "summarizer-tiny"
    )
    summaries: Annotated[Path, Option("Folder of summaries that were computed before.")] = Path(
        "build/embedder/summaries"
    )
    resume: Annotated[bool, Option("Go on with a run that was stopped or killed.")] = False
    state: Annotated[
        Path | None, Option("File in which the run keeps its progress; default: build/training/OUT.pt.")
    ] = None
    real: Annotated[RealData, Options("Files of postings, occupations and skills")] = field(
        default_factory=RealData
    )
