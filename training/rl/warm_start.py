"""A short supervised start of an extractive actor: phrases of rare words first, at the length that is asked.

It gives reinforcement learning something better than chance to begin with; what the ranker needs is learned there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from models.extractive.selection import words_of
from training.components.finite import check_number
from training.rl.actor import Source
from training.rl.extractive import ExtractiveActor


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """Settings of the supervised start; 0 steps leave the policy uniform."""

    steps: int = 100
    rate: float = 1e-3
    batch: int = 8
    spread: float = 1.0
    """Standard deviation of the targets within a posting, in logits: small, so that sampling still explores."""
    seed: int = 0
    share: float | None = None
    """Share of the tokens that samples have on average after it; None: that of the actor's card."""


def warm_start(
    actor: ExtractiveActor,
    sources: Sequence[Source],
    settings: WarmStart,
    report: Callable[[str], None] = print,
) -> list[float]:
    """Teach the head the salience of phrases, then set the length of samples; returns the loss of each step."""
    usable = [source for source in sources if len(source.phrases) > 1]
    targets = saliences(usable)
    (head,) = (group.weights for group in actor.parameters() if group.name == "head")
    optimizer, rng = torch.optim.Adam(head, lr=settings.rate), Random(settings.seed)
    history: list[float] = []
    for step in range(settings.steps if usable else 0):
        rows = rng.sample(range(len(usable)), min(settings.batch, len(usable)))
        logits = actor.logits([usable[row] for row in rows])
        wanted = [targets[row] * settings.spread for row in rows]
        loss = torch.stack([_listwise(*pair) for pair in zip(logits, wanted, strict=True)]).mean()
        history.append(check_number(loss.item(), f"the loss of step {step}"))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 20 == 0:
            report(f"warm start, step {step}: loss {history[-1]:.4f}")
    if usable:
        report(f"expected share of tokens {set_share(actor, usable, settings.share or actor.card.share):.4f}")
    return history


def saliences(sources: Sequence[Source]) -> list[Tensor]:
    """Return for each posting its phrases' mean inverse document frequency, standardized within the posting, [P]."""
    phrases = [[words_of(phrase.of(source.text)) for phrase in source.phrases] for source in sources]
    found = Counter(word for of_posting in phrases for word in frozenset().union(*of_posting))
    idf = {word: math.log((1 + len(sources)) / count) for word, count in found.items()}
    return [
        _standardized([sum(idf[word] for word in words) / max(1, len(words)) for words in of_posting])
        for of_posting in phrases
    ]


def set_share(actor: ExtractiveActor, sources: Sequence[Source], share: float, most: int = 200) -> float:
    """Shift all logits until samples have `share` of the texts' tokens on average; returns what is expected then."""
    few = sources[:most]
    with torch.no_grad():
        logit_P = torch.cat(actor.logits(few)).cpu()
    count_P = torch.tensor([count for source in few for count in source.counts], dtype=torch.float32)
    tokens = sum(source.tokens for source in few)
    low, high = -20.0, 20.0
    for _ in range(40):
        by = (low + high) / 2
        expected = float(((logit_P + by).sigmoid() * count_P).sum() / tokens)
        low, high = (by, high) if expected < share else (low, by)
    actor.shift(by)
    return expected


def _listwise(logit_P: Tensor, wanted_P: Tensor) -> Tensor:
    wanted_P = wanted_P.to(logit_P.device)
    return F.cross_entropy(logit_P[None], wanted_P.softmax(0)[None])


def _standardized(values: list[float]) -> Tensor:
    row = torch.tensor(values)
    return (row - row.mean()) / row.std(unbiased=False).clamp(min=1e-3)
