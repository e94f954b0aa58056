"""Postings, a ranker that counts words, and a linear actor over them: reinforcement learning in a second."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from models.extractive.phrase import Phrase
from models.prompts import Item
from models.ranker import overlap
from training.components.arrays import Floats
from training.evaluation.scorers import Asked, LogitScorer
from training.judging.postings import PostingRow
from training.rl.actor import ActionLogProbs, Actor, Sample, Source, WeightGroup

TEXT = "free parking. python and kafka. nice team. night shifts. we are friendly. remote work"


def posting(number: int, text: str = TEXT) -> PostingRow:
    item = Item(
        title="Engineer", company=f"c{number}", location=None, employment_type=None, remote=None, text=text
    )
    return PostingRow(posting_id=f"p{number}", item=item, posted_at=None, source=None)


def source(number: int = 0, text: str = TEXT) -> Source:
    parts, phrases, at = text.split(". "), [], 0
    for part in parts:
        phrases.append(Phrase(at, at + len(part)))
        at += len(part) + 2
    counts = tuple(len(part.split()) for part in parts)
    return Source(
        posting=posting(number, text), text=text, tokens=sum(counts), phrases=tuple(phrases), counts=counts
    )


def count(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


class WordScorer(LogitScorer):
    """The logit of the share of a query's words that an item has; `broken` calls answer what they say instead."""

    def __init__(self, broken: Sequence[Exception | float] = ()) -> None:
        self.broken, self.calls, self.items = list(broken), 0, 0

    @property
    @override
    def settings(self) -> dict[str, Any]:
        return {"model": "words"}

    @override
    def differences(self, asked: Sequence[Asked]) -> list[Floats]:
        self.calls += 1
        self.items += sum(len(items) for _, items in asked)
        wrong = self.broken.pop(0) if self.broken else None
        if isinstance(wrong, Exception):
            raise wrong
        found = [np.array([self._logit(query, item) for item in items]) for query, items in asked]
        return [row * wrong for row in found] if wrong is not None else found

    def _logit(self, query: str, item: Item) -> float:
        p = overlap(set(query.split()), set(f"{item.title} {item.text}".lower().replace(".", "").split()))
        return float(np.log(p / (1 - p)))


class LinearActor(Actor):
    """A weight for each place of a phrase."""

    def __init__(self, places: int = 6) -> None:
        self.weights = nn.Parameter(torch.full((places,), -1.0))

    @override
    def prepare(self, postings: Iterable[PostingRow]) -> list[Source]:
        return [replace(source(0, row.item.text), posting=row) for row in postings]

    @override
    def sample(self, sources: Sequence[Source], group: int, generator: torch.Generator) -> list[list[Sample]]:
        return [[self._sample(one, generator) for _ in range(group)] for one in sources]

    def _sample(self, one: Source, generator: torch.Generator) -> Sample:
        logits = self.weights.detach()[: len(one.phrases)]
        actions = (torch.rand(len(logits), generator=generator) < logits.sigmoid()).long()
        chosen = tuple(actions.nonzero().flatten().tolist())
        return Sample(
            text=self._text(one, chosen),
            chosen=chosen,
            actions=actions,
            log_probs=nn.functional.logsigmoid(torch.where(actions > 0, logits, -logits)),
        )

    def _text(self, one: Source, chosen: Sequence[int]) -> str:
        return "; ".join(one.phrases[at].of(one.text) for at in chosen)

    @override
    def log_probs(self, sources: Sequence[Source], samples: Sequence[Sequence[Sample]]) -> ActionLogProbs:
        actions = torch.stack([sample.actions for group in samples for sample in group])
        logits = self.weights[: actions.shape[1]].expand(len(actions), -1)
        entropies = nn.functional.softplus(logits) - logits * logits.sigmoid()
        log_probs = nn.functional.logsigmoid(torch.where(actions > 0, logits, -logits))
        return ActionLogProbs(
            log_probs=log_probs, entropies=entropies, mask=torch.ones_like(actions, dtype=torch.bool)
        )

    @override
    def greedy(self, sources: Sequence[Source], share: float) -> list[str]:
        best = self.weights.detach().argsort(descending=True)
        return [self._text(one, sorted(best[:2].tolist())) for one in sources]

    @override
    def parameters(self) -> list[WeightGroup]:
        return [WeightGroup(name="places", weights=[self.weights], rate=1.0)]

    @override
    def state(self) -> dict[str, Tensor]:
        return {"weights": self.weights.detach().clone()}

    @override
    def restore(self, state: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            self.weights.copy_(state["weights"])

    @override
    def save(self, directory: Path) -> None:
        (directory / "weights.json").write_text(json.dumps(self.weights.tolist()))

    @override
    def load(self, directory: Path) -> None:
        self.restore({"weights": torch.tensor(json.loads((directory / "weights.json").read_text()))})
