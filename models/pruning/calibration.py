"""Calibration sets: prompts as the ranker reads them (equation 1), read as a stream, counted and hashed."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor

from models.length_batches import length_batches
from models.prompts import Item, Prompter
from models.pruning.config import CalibrationSize

CHUNK = 256
"""Prompts that are tokenized together and then sorted by length into batches."""


class CalibrationSet:
    """Prompts up to a number of tokens. Those read so far are counted and hashed, so that a card can name the set."""

    def __init__(self, prompts: Iterable[list[int]], size: CalibrationSize | None = None) -> None:
        self._prompts, self._size = prompts, size or CalibrationSize()
        self._hash = hashlib.sha256()
        self.tokens = self.prompts = 0

    @property
    def sha256(self) -> str:
        """Hash over all prompts read so far: for each its length, then its ids."""
        return self._hash.hexdigest()

    def batches(self) -> Iterator[list[list[int]]]:
        """Yield batches of prompts of similar length: at most `batch_tokens` with padding, or one longer prompt."""
        prompts = self._counted()
        while chunk := list(islice(prompts, CHUNK)):
            for rows in length_batches([len(ids) for ids in chunk], self._size.batch_tokens):
                yield [chunk[row] for row in rows]

    def _counted(self) -> Iterator[list[int]]:
        for ids in self._prompts:
            if self.tokens >= self._size.tokens:
                return
            self.tokens += len(ids)
            self.prompts += 1
            self._hash.update(array("i", [len(ids), *ids]).tobytes())
            yield ids


def prompts_of(pairs: Iterable[tuple[str, Item]], prompter: Prompter) -> Iterator[list[int]]:
    """Yield the token ids of the whole prompt of each (query, item)."""
    left = iter(pairs)
    while chunk := list(islice(left, CHUNK)):
        items = prompter.item_ids_many([item for _, item in chunk])
        yield from (prompter.prefix_ids(query) + ids for (query, _), ids in zip(chunk, items, strict=True))


def padded(prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return ids [N, W], padded with 0 on the right, and a mask [N, W] that is false on the padding."""
    width = max(map(len, prompts))
    ids_NW = torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in prompts])
    lengths_N = torch.tensor([len(ids) for ids in prompts])
    return ids_NW, torch.arange(width) < lengths_N[:, None]
