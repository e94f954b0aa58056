"""`python -m training.rl.start --postings FILE … --out DIR`: the checkpoint that reinforcement learning begins with."""

from __future__ import annotations

from pathlib import Path
from random import Random

import torch

from models.extractive.checkpoint import Card
from schemas import arguments
from training.components.reporting import told_in_one_line
from training.judging.postings import PostingRow, read_postings
from training.judging.splits import split
from training.rl.extractive import ExtractiveActor
from training.rl.start_settings import StartRun
from training.rl.warm_start import WarmStart, warm_start


def main() -> None:
    """Read the options, make the checkpoint."""
    run = arguments.parse(StartRun, None, prog="python -m training.rl.start", description=__doc__)
    torch.set_num_threads(run.threads)
    with told_in_one_line():
        make_start(run)


def make_start(run: StartRun) -> None:
    """Write the checkpoint; without postings the policy is uniform."""
    card = Card(share=1.0, threshold=0.0) if run.free_lengths else Card(share=run.share)
    actor = ExtractiveActor.from_ranker(run.ranker, layers=run.layers, card=card, seed=run.seed)
    rows = [row for path in run.postings for row in _some(path, run)]
    warm_start(
        actor, actor.prepare(rows), WarmStart(steps=run.steps, seed=run.seed, share=run.share), _report
    )
    actor.save(run.out)


def _some(path: Path, run: StartRun) -> list[PostingRow]:
    """Postings of a file's train split, drawn at random; the split is by company, as the reinforcement learning's."""
    train = split(list(read_postings(path))).postings["train"]
    return Random(f"start {run.seed}").sample(train, min(len(train), run.most))


def _report(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
