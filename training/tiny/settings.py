"""Settings of training and measuring the tiny checkpoints; light, because command lines and pages read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from schemas.settings import Option, Options

REAL = "Real data of the ranker, which without any trains on generated postings alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class RealData:
    """Files of real postings and occupations (docs/data.md)."""

    health: Annotated[Path | None, Option("Ranker: health postings, JSON Lines, plain or .gz.")] = None
    technology: Annotated[Path | None, Option("Ranker: technology postings, JSON Lines, plain or .gz.")] = (
        None
    )
    general: Annotated[Path | None, Option("Ranker: postings of all other trades, JSON Lines or .gz.")] = None
    onet: Annotated[Path | None, Option("Ranker: O*NET occupations with their titles, JSON Lines .gz.")] = (
        None
    )
    esco: Annotated[Path | None, Option("Ranker: ESCO occupations with their labels, JSON Lines .gz.")] = None
    skills: Annotated[Path | None, Option("Ranker: labels of ESCO's skills, a line each, .gz.")] = None
    cache: Annotated[Path, Option("Ranker: folder of evidence that was found before.")] = Path("build/rules")
    vectors: Annotated[Path, Option("Ranker: folder of MiniLM's vectors that were computed before.")] = Path(
        "build/vectors"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyRun:
    """The training of one shipped checkpoint."""

    model: Annotated[Literal["ranker"], Option("Which model is trained.", positional=True)]
    out: Annotated[Path, Option("Checkpoint directory to write.")]
    name: Annotated[
        str | None,
        Option("Of a ranker, name@version; default: ranker@3, of one that goes on ranker@OUT."),
    ] = None
    minutes: Annotated[
        float,
        Option("Minutes of training, of each thread's processor time."),
    ] = 60.0
    steps: Annotated[int, Option("Stop after so many steps at the latest.")] = 1_000_000
    seed: Annotated[int, Option("Seed of the weights and of everything that is drawn.")] = 1
    threads: Annotated[int, Option("Processor threads.")] = 2
    compile: Annotated[bool, Option("Compile the ranker's forward and backward pass.")] = False
    init: Annotated[Path | None, Option("A tiny ranker's checkpoint to go on from.")] = None
    begin: Annotated[
        float, Option("With --init: the share of the schedule that the checkpoint has behind it.")
    ] = 0.0
    mix: Annotated[
        Literal["first", "whole"],
        Option("Queries that a ranker learns from: of the first stage, or all kinds."),
    ] = "first"
    resume: Annotated[bool, Option("Go on with a ranker's run that was stopped or killed.")] = False
    state: Annotated[
        Path | None,
        Option("File in which a ranker's run keeps its progress; default: build/training/OUT.pt."),
    ] = None
    dev: Annotated[
        int, Option("Dev queries of each domain on which a ranker is measured four times in its run.")
    ] = 0
    real: Annotated[RealData, Options(REAL)] = field(default_factory=RealData)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured."""

    queries: Annotated[int, Option("Queries of each set.")] = 60
    postings: Annotated[int, Option("Generated postings.")] = 400
    seed: Annotated[int, Option("Seed of what is drawn.")] = 11
