"""Texts of real postings as token ids, to calibrate on or to measure by, and what a pruned model loses on them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn import functional

from benchmarks.pruning.measures import Gauge, divergence
from training.evaluation.offline import load
from training.judging.postings import read_postings

LEAST_TOKENS, MOST_TOKENS = 32, 256
"""Texts that are shorter are left out, longer ones are cut."""
SHARE = 4
"""One text in so many is measured on, the others may be calibrated on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Token ids of texts; no text is in both parts, however often it was posted."""

    calibration: list[list[int]]
    held_out: list[list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLoss:
    """Lost share of each MLP's output, and per token the KL from the dense model and the perplexity."""

    errors: list[float]
    kl: float
    perplexity: float


def texts_of(files: Sequence[Path], tokenizer: Tokenizer, *, tokens: int, held_out: int) -> Texts:
    """Read from all files in equal parts, until there are `tokens` to calibrate on and `held_out` texts besides."""
    parts = [_of_file(file, tokenizer, tokens // len(files), -(-held_out // len(files))) for file in files]
    return Texts(
        calibration=[ids for part in parts for ids in part.calibration],
        held_out=[ids for part in parts for ids in part.held_out],
    )


def _of_file(file: Path, tokenizer: Tokenizer, tokens: int, held_out: int) -> Texts:
    found = Texts(calibration=[], held_out=[])
    left = tokens
    for text in _different(f"{row.item.title}\n{row.item.text}" for row in read_postings(file)):
        if left <= 0 and len(found.held_out) >= held_out:
            break
        ids = tokenizer.encode(text, add_special_tokens=False).ids[:MOST_TOKENS]
        if len(ids) < LEAST_TOKENS:
            continue
        if _is_held_out(text):
            found.held_out.append(ids)
        elif left > 0:
            found.calibration.append(ids)
            left -= len(ids)
    return Texts(calibration=found.calibration, held_out=list(islice(found.held_out, held_out)))


def _different(texts: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for text in texts:
        if text not in seen:
            seen.add(text)
            yield text


def _is_held_out(text: str) -> bool:
    return hashlib.sha256(text.encode()).digest()[0] % SHARE == 0


class TextMeasure:
    """Compares models with a dense one on texts that were not calibrated on."""

    def __init__(self, dense: Path, texts: Sequence[list[int]]) -> None:
        self._dense, self._texts = load(dense).eval(), texts

    def dense(self) -> float:
        """Perplexity of the dense model."""
        return math.exp(self._mean([self._sums(self._dense, ids)[1] for ids in self._texts]))

    def lost(self, small: Path) -> TextLoss:
        """All figures of one pruned checkpoint."""
        model = load(small).eval()
        layers = zip(model.model.layers, self._dense.model.layers, strict=True)
        gauges = [Gauge(ours.mlp, theirs.mlp) for ours, theirs in layers]
        sums = [self._sums(model, ids) for ids in self._texts]
        for gauge in gauges:
            gauge.hook.remove()
        return TextLoss(
            errors=[gauge.lost / gauge.whole for gauge in gauges],
            kl=self._mean([kl for kl, _ in sums]),
            perplexity=math.exp(self._mean([nll for _, nll in sums])),
        )

    def _mean(self, sums: Sequence[float]) -> float:
        return sum(sums) / sum(len(ids) - 1 for ids in self._texts)

    @torch.inference_mode()
    def _sums(self, model: Any, ids: list[int]) -> tuple[float, float]:
        """Sums over the places whose next token the text has: KL(dense || model), and what the model says of it."""
        next_T = torch.tensor(ids[1:])
        logits_TV = model(input_ids=torch.tensor([ids[:-1]]), use_cache=False).logits[0]
        surprise = functional.cross_entropy(logits_TV.double(), next_T, reduction="sum")
        if model is self._dense:
            return 0.0, float(surprise)
        whole_TV = self._dense(input_ids=torch.tensor([ids[:-1]]), use_cache=False).logits[0]
        return float(divergence(whole_TV, logits_TV)) * len(next_T), float(surprise)
