"""`python -m training.rl.start --postings FILE … --out DIR`: the checkpoint that reinforcement learning begins with."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import torch

from models.extractive.checkpoint import Card
from schemas import arguments
from schemas.settings import Option
from training.components.reporting import told_in_one_line
from training.judging.postings import read_postings
from training.rl.extractive import ExtractiveActor
from training.rl.warm_start import WarmStart, warm_start


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
    steps: Annotated[int, Option("Steps of the supervised start; 0: every phrase is equally likely.")] = 100
    seed: Annotated[int, Option("Seed of the head and of the order.")] = 0
    threads: Annotated[int, Option("Processor threads.", at_least=1)] = 2


def main() -> None:
    """Read the options, make the checkpoint."""
    run = arguments.parse(StartRun, None, prog="python -m training.rl.start", description=__doc__)
    torch.set_num_threads(run.threads)
    with told_in_one_line():
        make_start(run)


def make_start(run: StartRun) -> None:
    """Write the checkpoint; without postings the policy is uniform."""
    actor = ExtractiveActor.from_ranker(
        run.ranker, layers=run.layers, card=Card(share=run.share), seed=run.seed
    )
    rows = [row for path in run.postings for row in islice(read_postings(path), run.most)]
    warm_start(actor, actor.prepare(rows), WarmStart(steps=run.steps, seed=run.seed), _report)
    actor.save(run.out)


def _report(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
