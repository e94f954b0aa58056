"""MiniLM's vectors of training texts, computed once and kept on disk; nothing of them is read at inference."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from models.writing import replacing_file
from training.components.arrays import Singles
from training.components.machine import Machine
from training.components.reporting import Log

CHUNK = 2000
"""Texts of a file; a run that is killed has lost at most one such file."""
MOST_TOKENS = 48
"""Where a text is cut before it is encoded."""
Encode = Callable[[Sequence[str]], Singles]


class TextVectors:
    """Vectors by text, in files named by a hash over their texts; several processes share the work."""

    def __init__(
        self, folder: Path, machine: Machine, encode: Encode, report: Log, chunk: int = CHUNK
    ) -> None:
        self._folder, self._machine, self._report = folder, machine, report
        self.encode, self._chunk = encode, chunk

    def of(self, name: str, texts: Sequence[str]) -> Singles:
        """Vectors [texts, 384] of length 1. All processes of a run have to ask for the same texts."""
        chunks = [texts[start : start + self._chunk] for start in range(0, len(texts), self._chunk)]
        files = [self._folder / f"{_hash(chunk)}.npy" for chunk in chunks]
        new = [(file, chunk) for file, chunk in zip(files, chunks, strict=True) if not file.exists()]
        mine = new[self._machine.rank :: self._machine.world]
        for number, (file, chunk) in enumerate(mine):
            self._report(f"{name}: MiniLM reads {len(chunk)} texts, part {number + 1} of {len(mine)} …")
            self._write(file, chunk)
        # no process goes on before all parts are there
        self._machine.total(torch.zeros(1))
        found = [np.load(file).astype(np.float32) for file in files]
        return np.concatenate(found) if found else np.zeros((0, 384), dtype=np.float32)

    def _write(self, file: Path, chunk: Sequence[str]) -> None:
        with replacing_file(file, concurrent=True) as partial, partial.open("wb") as out:
            np.save(out, self.encode(chunk).astype(np.float16))


def _hash(texts: Sequence[str]) -> str:
    digest = hashlib.blake2b(f"all-MiniLM-L6-v2/{MOST_TOKENS}".encode(), digest_size=16)
    for text in texts:
        digest.update(text.encode("utf-8", "replace") + b"\0")
    return digest.hexdigest()
