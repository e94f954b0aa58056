"""Summaries of training postings by an extractive summarizer, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from models.engine.checkpoint_engine import EngineConfig
from models.extractive.engine import ExtractiveEngine
from models.prompts import Item, summarizer_input
from models.weights_hash import weights_sha256
from models.writing import write_whole
from training.components.reporting import Log

CHUNK = 1000
"""Postings of a file; a run that is killed has lost at most one such file."""


class Summaries:
    """What the summarizer of a directory makes of postings, in files named by a hash over weights and postings."""

    def __init__(self, folder: Path, summarizer: Path, report: Log, threads: int = 1) -> None:
        self._folder, self._summarizer, self._report = folder, summarizer, report
        self._config = EngineConfig(role="summarizer", threads=threads)
        self._weights = weights_sha256(summarizer)
        self._engine: ExtractiveEngine | None = None

    def of(self, name: str, items: Sequence[Item]) -> list[str]:
        """Return the summary of each item's text, in order; an item without text has an empty one."""
        found: list[str] = []
        for start in range(0, len(items), CHUNK):
            inputs = [summarizer_input(item.title, item.text) for item in items[start : start + CHUNK]]
            file = self._folder / f"{self._hash(inputs)}.json"
            if not file.is_file():
                self._report(f"{name}: summaries {start} to {start + len(inputs)} of {len(items)} …")
                write_whole(file, json.dumps(self._made(inputs)), concurrent=True)
            found += json.loads(file.read_text(encoding="utf-8"))
        return [summary if item.text else "" for item, summary in zip(items, found, strict=True)]

    def _made(self, inputs: Sequence[str]) -> list[str]:
        self._engine = self._engine or ExtractiveEngine(self._summarizer, self._config)
        return [made.text for _, made, _ in self._engine.summaries(inputs)]

    def _hash(self, inputs: Sequence[str]) -> str:
        digest = hashlib.blake2b(self._weights.encode(), digest_size=16)
        for text in inputs:
            digest.update(text.encode("utf-8", "replace") + b"\0")
        return digest.hexdigest()
