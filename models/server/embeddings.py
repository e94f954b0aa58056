"""POST /v1/embeddings: a request becomes jobs for the embedder, their vectors become OpenAI's answer."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from models.embedder import Embedder
from models.engine.base import ModelInfo
from models.server.checks import check_total
from models.server.config import Limits
from models.server.requests import BadRequest, EmbeddingBody
from models.vectors import unpack

NO_DEADLINE_S = 3600.0
"""The batcher keeps the deadlines; an embedder in this process waits for nothing."""


class CountingEmbedder(Embedder, Protocol):
    """An embedder that tells what its texts cost."""

    def token_counts(self, texts: Sequence[str], *, queries: bool) -> list[int]:
        """How many tokens of each text are read."""
        ...

    @property
    def context_tokens(self) -> int:
        """Most tokens of a text that are read; the rest of a longer one is not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedJob:
    """One text to embed, and how many of its tokens are read."""

    text: str
    query: bool
    tokens: int


class EmbeddingEngine:
    """An embedder as what a server's model thread runs."""

    def __init__(self, embedder: CountingEmbedder) -> None:
        self._embedder = embedder

    @property
    def info(self) -> ModelInfo:
        """Name and limit of the model; it takes no token ids, so that it has no vocabulary to tell."""
        return ModelInfo(
            name=self._embedder.model, vocab_size=0, context_tokens=self._embedder.context_tokens
        )

    @property
    def width(self) -> int:
        """Numbers of each vector."""
        return self._embedder.width

    def token_counts(self, texts: Sequence[str], *, queries: bool) -> list[int]:
        """How many tokens of each text are read."""
        return self._embedder.token_counts(texts, queries=queries)

    def embed_many(self, jobs: Sequence[EmbedJob]) -> list[bytes]:
        """Embed the queries of a batch in one call, and its postings in another; vectors in the jobs' order."""
        queries = [job.text for job in jobs if job.query]
        postings = [job.text for job in jobs if not job.query]
        found_queries = iter(self._embedder.embed_queries(queries, NO_DEADLINE_S) if queries else [])
        found_postings = iter(self._embedder.embed_postings(postings, NO_DEADLINE_S) if postings else [])
        return [next(found_queries if job.query else found_postings) for job in jobs]


def embed_jobs(body: EmbeddingBody, engine: EmbeddingEngine, limits: Limits) -> list[EmbedJob]:
    """Return a job for each text; BadRequest for what cannot be embedded. Slow: it counts tokens."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not texts or "" in texts:
        raise BadRequest("input must be a text or a list of texts, none of them empty")
    if len(texts) > limits.items:
        raise BadRequest(f"{len(texts)} texts in one request, at most {limits.items} are allowed")
    if body.dimensions not in (None, engine.width):
        raise BadRequest(f"dimensions is {body.dimensions}: this model's vectors have {engine.width}")
    query = body.input_type == "query"
    counts = engine.token_counts(texts, queries=query)
    check_total(sum(counts), limits)
    return [EmbedJob(text=text, query=query, tokens=n) for text, n in zip(texts, counts, strict=True)]


def embedding_answer(
    body: EmbeddingBody, jobs: Sequence[EmbedJob], vectors: Sequence[bytes], engine: EmbeddingEngine
) -> dict[str, Any]:
    """Return OpenAI's answer; a text that has no vector, such as one without words, gets a vector of zeros."""
    none = bytes(2 * engine.width)
    rows = unpack([vector or none for vector in vectors], engine.width)
    packed = body.encoding_format == "base64"
    tokens = sum(job.tokens for job in jobs)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": i, "embedding": _base64(row) if packed else row.tolist()}
            for i, row in enumerate(rows)
        ],
        "model": engine.info.name,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _base64(row: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> str:
    """The row as OpenAI packs it: little-endian float32 in base64."""
    return base64.b64encode(row.astype("<f4").tobytes()).decode()
