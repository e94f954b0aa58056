"""Settings of the start of an extractive summarizer; light, because command lines and pages read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from schemas.settings import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun:
    """What an extractive summarizer begins with."""

    out: Annotated[Path, Option("Checkpoint directory to write.")]
    postings: Annotated[
        tuple[Path, ...], Option("Postings of the supervised start, JSON Lines; commas between.")
    ] = ()
    ranker: Annotated[Path, Option("Checkpoint whose first layers the body takes.")] = Path(
        "models/checkpoints/ranker-tiny"
    )
    layers: Annotated[int, Option("Layers of the body.", at_least=1)] = 2
    share: Annotated[float, Option("Share of a text's tokens that a summary keeps.")] = 0.07
    most: Annotated[int, Option("Postings that are read of each file.", at_least=1)] = 2000
    free_lengths: Annotated[
        bool,
        Option("Let the reward decide how long summaries are, as in the paper; --share is where they begin."),
    ] = False
    steps: Annotated[int, Option("Steps of the supervised start; 0: every phrase is equally likely.")] = 100
    seed: Annotated[int, Option("Seed of the head and of the order.")] = 0
    threads: Annotated[int, Option("Processor threads.", at_least=1)] = 2
