"""`python -m training.tiny ranker|summarizer --out DIR --minutes M`: the shipped tiny checkpoints, from scratch."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from training.keeping import KeepingRun
from training.ranker_sft import RankerRun, train_ranker
from training.summarizer_sft import SummarizerRun, train_summarizer


def main() -> None:
    """Train one model on this machine's processors."""
    parser = argparse.ArgumentParser(prog="python -m training.tiny", description=__doc__)
    parser.add_argument("model", choices=("ranker", "summarizer"))
    parser.add_argument("--out", type=Path, required=True, help="checkpoint directory to write")
    parser.add_argument("--minutes", type=float, default=40.0, help="wall-clock minutes of training")
    parser.add_argument("--steps", type=int, default=1_000_000, help="stop after so many steps at the latest")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)

    def report(line: str) -> None:
        print(line, flush=True)

    limits = {"minutes": settings.minutes, "steps": settings.steps}
    if settings.model == "ranker":
        train_ranker(RankerRun(seed=settings.seed, **limits), settings.out, report)
    else:
        run = SummarizerRun(seed=settings.seed, keeping=KeepingRun(**limits))
        train_summarizer(run, settings.out, report)


if __name__ == "__main__":
    main()
