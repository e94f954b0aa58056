"""An `Embedder` that computes a checkpoint directory through the engine's kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from typing_extensions import override

from models.embedder import Embedder
from models.embedding.checkpoint import load_card, load_head
from models.embedding.reading import Texts
from models.engine.checkpoint import load_checkpoint
from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from models.prompts import load_tokenizer
from models.unknown import UnknownTokens
from models.vectors import pack
from schemas.errors import ConfigError

PASS_TEXTS = 256
"""Texts of one pass, at most: enough to fill it, few enough that a caller's deadline is looked at between two."""
MOST_STRANGE = 0.6
"""Largest share of tokens that are unknown or parts of words: vectors of texts in another script are all alike."""


class CheckpointEmbedder(Embedder):
    """Vectors of a directory's model, in fp32 on a CPU; a text without words that it knows has none. Thread-safe."""

    def __init__(self, path: Path, config: EngineConfig | None = None) -> None:
        """Load body and head, and run them once; ConfigError for a directory of another kind or one that is damaged."""
        card = load_card(path)
        self._card, self._head = card, load_head(path)
        self._body = CheckpointEngine(path, config or EngineConfig(role="embedder"))
        self._head = self._head.to(self._body.device)
        self._context = min(card.tokens, self._body.info.context_tokens)
        tokenizer = load_tokenizer(path)
        self._texts = Texts(tokenizer, self._context, _end(path))
        self._unknown = UnknownTokens(tokenizer)
        self._width = len(self._head.turn.weight)
        self.embed_queries(["nurse"], 0.0)

    @property
    @override
    def model(self) -> str:
        """The name that the card says, such as `embedder@1`."""
        return self._card.name

    @property
    @override
    def width(self) -> int:
        """Numbers in each vector."""
        return self._width

    @property
    def context_tokens(self) -> int:
        """Most tokens of a text that are read; the rest of a longer one is not."""
        return self._context

    @property
    def threshold(self) -> float | None:
        """The cosine from which a posting is a candidate of a saved search; None where the card says none."""
        return self._card.threshold

    @override
    def embed_queries(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
        """Embed queries; the deadline plays no part, because nothing is waited for."""
        del deadline_s
        return self._embed(texts, self._texts.queries)

    @override
    def embed_postings(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
        """Embed postings; the deadline plays no part, because nothing is waited for."""
        del deadline_s
        return self._embed(texts, self._texts.postings)

    def token_counts(self, texts: Sequence[str], *, queries: bool) -> list[int]:
        """How many tokens of each text are read."""
        read = self._texts.queries if queries else self._texts.postings
        return [len(ids) for ids in read(texts)]

    def _embed(self, texts: Sequence[str], read: Callable[[Sequence[str]], list[list[int]]]) -> list[bytes]:
        """Each text of some length is computed once, those of like length in one pass."""
        ids = read(texts)
        rows = np.zeros((len(texts), self._width), np.float32)
        known = [row for row, one in enumerate(ids) if one and self._unknown.share(one) <= MOST_STRANGE]
        order = sorted(known, key=lambda row: len(ids[row]))
        for start in range(0, len(order), PASS_TEXTS):
            few = order[start : start + PASS_TEXTS]
            rows[few] = self._vectors([ids[row] for row in few])
        return pack(rows)

    @torch.inference_mode()
    def _vectors(self, ids: Sequence[Sequence[int]]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        states_ND = self._body.hidden_many(ids)
        lengths = torch.tensor([len(one) for one in ids], device=states_ND.device)
        text_N = torch.arange(len(ids), device=states_ND.device).repeat_interleave(lengths)
        vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = (
            self._head(states_ND, text_N, len(ids)).cpu().numpy()
        )
        return vectors


def _end(path: Path) -> int:
    """The token that ends a text; ConfigError where config.json names none."""
    ends = load_checkpoint(path, "embedder").eos_ids
    if not ends:
        raise ConfigError(f"{path / 'config.json'} names no eos_token_id: an embedder ends each text with it")
    return min(ends)
