"""The embedder's training run: draws batches, takes steps, saves (docs/training.md#the-embedder)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from models.embedding.checkpoint import EmbeddingCard
from training.components.finite import check_number
from training.components.optimizer import Optimizer, schedule
from training.components.reporting import Log
from training.components.stopping import stopping
from training.embedder.batches import Batch
from training.embedder.losses import PairLoss, likeness
from training.embedder.model import EmbedderModel, save, texts_of
from training.tiny.ranker.progress import Progress, RunClock, RunStopped, load_state, save_state

SAVE_STEPS = 100
TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights of the losses; that of MiniLM's vectors falls over the run from `first` to `last`."""

    order: float = 1.0
    level: float = 1.0
    first: float = 6.0
    last: float = 1.5
    matrix_rate: float = 0.012
    vector_rate: float = 4e-3

    def taught(self, done: float) -> float:
        """The weight of MiniLM's vectors at a share `done` of the run."""
        return self.last + (self.first - self.last) * max(0.0, 1 - 2 * done)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlace:
    """How long a run is, and where it is saved."""

    out: Path
    card: EmbeddingCard
    minutes: float
    steps: int = 1_000_000
    state: Path | None = None
    resume: bool = False


class EmbedderTraining(nn.Module):
    """Model and pair loss, whose parameters are trained together."""

    def __init__(self, model: EmbedderModel) -> None:
        super().__init__()
        self.model, self.pairs = model, PairLoss()


def train(
    model: EmbedderModel,
    tokenizer: Tokenizer,
    draw: Callable[[Random], Batch],
    place: RunPlace,
    report: Log,
    seed: int = 1,
    weights: Weights | None = None,
) -> list[float]:
    """Train, save at the end and every SAVE_STEPS steps; returns each step's loss.

    The first SIGTERM or Ctrl-C ends the run after its present step, saved; RunStopped then says so.
    """
    weights, whole, texts = weights or Weights(), EmbedderTraining(model), texts_of(tokenizer, place.card)
    optimizer = Optimizer(
        whole, matrix_rate=weights.matrix_rate, vector_rate=weights.vector_rate, table_share=0.5
    )
    at = load_state(place.state, whole, optimizer) if place.state and place.resume else Progress()
    clock, recent, history = RunClock(at.spent, place.minutes), deque[list[float]](maxlen=TOLD), list[float]()

    def keep() -> None:
        save(model, tokenizer, place.out, place.card)
        if place.state:
            save_state(place.state, whole, optimizer, at)

    with stopping() as stop:
        while at.step < place.steps and at.spent < 1 and not stop.asked:
            batch = draw(Random(f"{seed} {at.step}"))
            parts = losses(whole, batch, texts.queries(batch.queries), texts.postings(batch.postings))
            share = weights.taught(at.spent)
            loss = sum(w * p for w, p in zip((weights.order, weights.level, share), parts, strict=True))
            assert isinstance(loss, Tensor)  # noqa: S101
            check_number(float(loss.detach()), f"step {at.step}: the loss")
            torch.autograd.backward(loss)
            optimizer.step(schedule(at.spent))
            recent.append([float(part.detach()) for part in parts])
            history.append(float(loss.detach()))
            spent = max(clock.spent(), (at.step + 1) / place.steps)
            at = Progress(step=at.step + 1, spent=spent)
            if at.step % TOLD == 0:
                means = " ".join(f"{sum(column) / len(column):.4f}" for column in zip(*recent, strict=True))
                report(f"step {at.step} {100 * at.spent:.0f}% order, level, taught {means}")
            if at.step % SAVE_STEPS == 0:
                keep()
        keep()
        if stop.asked:
            raise RunStopped(stop.signal)
    return history


def losses(
    whole: EmbedderTraining, batch: Batch, queries: Sequence[Sequence[int]], postings: Sequence[Sequence[int]]
) -> list[Tensor]:
    """Order, level and likeness to MiniLM of one batch; 0 where the batch has no such part."""
    vectors = whole.model([*queries, *postings])
    asked, found = vectors[: len(queries)], vectors[len(queries) :]
    order, level = whole.pairs(asked @ found.T, torch.from_numpy(batch.labels_QP))
    taught = likeness(vectors[torch.from_numpy(batch.rows)], torch.from_numpy(batch.taught))
    return [order, level, taught]
