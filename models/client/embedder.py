"""An embedder that a URL names: behind OpenAI's route /v1/embeddings, ours or a foreign one, or the stand-in.

`http://host:port` names a server whose list of models says which one embeds. `?model=NAME` says it where the list has
several models or there is no list. `?query_prefix=` and `?posting_prefix=` are put before texts, for models that want
that, such as `query: ` and `passage: `. `instant:` is the stand-in, `instant:2` its generation 2.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import httpx
from typing_extensions import override

from models.client.connected import Connected
from models.client.embeddings import EmbedderNaming, Vectors, read_vectors
from models.client.http import Call, ClientConfig, ModelClient, check_url, trust
from models.client.responses import Misconfigured
from models.embedder import WIDTH, Embedder, HashingEmbedder
from models.prompts import EMBEDDER_CHARS, MAX_QUERY_CHARS
from schemas.clean import clean
from schemas.errors import ConfigError, ModelRejected, ModelUnavailable

ROUTE = "/v1/embeddings"
TEXTS_PER_CALL = 64
"""Texts of one request."""


def open_embedder(url: str, config: ClientConfig | None = None) -> Embedder:
    """Return the embedder that a URL names; raises ConfigError for a URL that names none."""
    scheme, _, generation = url.partition(":")
    if scheme == "instant" and (not generation or (generation.isascii() and generation.isdigit())):
        return HashingEmbedder(WIDTH, f"hashing@{generation or 1}")
    return HttpEmbedder(url, config or ClientConfig())


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A server's address without what the URL says about the model."""

    url: str
    model: str | None = None
    query_prefix: str = ""
    posting_prefix: str = ""


def place_of(url: str) -> Place:
    """Read the URL of an embedder; ConfigError names what is wrong with it."""
    check_url(url)
    parts = httpx.URL(url)
    given = dict(parts.params.items())
    if unknown := sorted(given.keys() - {"model", "query_prefix", "posting_prefix"}):
        raise ConfigError(
            f"{url!r}: {unknown[0]} is no setting; there are model, query_prefix, posting_prefix"
        )
    return Place(url=str(parts.copy_with(query=None)), **given)


class HttpEmbedder(Connected, Embedder):
    """An embedder behind a server. Its first answer tells model and width; a text that it refuses has no vector."""

    def __init__(self, url: str, config: ClientConfig) -> None:
        """Raise ConfigError for a URL or a file of certificates that cannot work."""
        trust(config.ca_file)
        self._place, self._config = place_of(url), config
        self._model, self._width = "", 0
        self._naming = EmbedderNaming(self._place.model)
        super().__init__(self._connect)

    @property
    @override
    def model(self) -> str:
        """The name in the latest answer, "" before the first."""
        return self._model

    @property
    @override
    def width(self) -> int:
        """The width of the latest answer, 0 before the first."""
        return self._width

    @override
    def embed_queries(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
        """Send `TEXTS_PER_CALL` queries a request, each of MAX_QUERY_CHARS at most, `concurrency` at a time."""
        cleaned = [clean(text, MAX_QUERY_CHARS) for text in texts]
        return self._embed(cleaned, self._place.query_prefix, "query", deadline_s)

    @override
    def embed_postings(self, texts: Sequence[str], deadline_s: float) -> list[bytes]:
        """Send `TEXTS_PER_CALL` postings a request, each of EMBEDDER_CHARS at most."""
        cut = [text[:EMBEDDER_CHARS].strip() for text in texts]
        return self._embed(cut, self._place.posting_prefix, "document", deadline_s)

    def _connect(self) -> ModelClient:
        canary = self._call(["nurse"], "query")
        # no vocabulary: texts are sent, so that there are no ids to check; not every server has a health route
        return ModelClient(
            self._place.url, self._naming, self._config, vocab_size=0, canary=canary, health_route=None
        )

    def _embed(self, texts: Sequence[str], prefix: str, kind: str, deadline_s: float) -> list[bytes]:
        told = [prefix + text for text in texts if text]
        if not told:
            return [b""] * len(texts)
        parts = [told[start : start + TEXTS_PER_CALL] for start in range(0, len(told), TEXTS_PER_CALL)]
        answers = self._loop.run(self._ask_all(parts, kind, time.monotonic() + deadline_s))
        self._learn(answers)
        found = chain.from_iterable(answer.vectors for answer in answers)
        return [next(found) if text else b"" for text in texts]

    def _learn(self, answers: Sequence[Vectors]) -> None:
        """Take over model and width; ModelUnavailable if they differ between answers that would be compared."""
        said = {(answer.model, answer.width) for answer in answers if answer.width}
        if len(said) > 1:
            raise ModelUnavailable(f"the embedder changed during one request: {sorted(said)}")
        for model, width in said:
            if model == self._model and width != self._width:
                raise Misconfigured(
                    f"{model} answered with vectors of width {width} that had {self._width} before: "
                    "give the new model another name"
                )
            self._model, self._width = model, width

    async def _ask_all(self, parts: Sequence[list[str]], kind: str, deadline: float) -> list[Vectors]:
        client, gate = self._client(), asyncio.Semaphore(self._config.concurrency)
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await client.served()
        except TimeoutError as error:
            raise ModelUnavailable(f"{self._place.url} gave no answer within the deadline") from error

        async def ask(part: list[str]) -> Vectors:
            async with gate:
                return await self._ask(client, part, kind, deadline)

        outcomes = await asyncio.gather(*map(ask, parts), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]

    async def _ask(self, client: ModelClient, texts: list[str], kind: str, deadline: float) -> Vectors:
        """The vectors of some texts; where they are refused together, of each half, down to the text at fault."""
        try:
            return await client.ask(self._call(texts, kind), deadline)
        except ModelRejected:
            if len(texts) == 1:
                return Vectors(model="", width=0, vectors=[b""])
        half = len(texts) // 2
        first = await self._ask(client, texts[:half], kind, deadline)
        second = await self._ask(client, texts[half:], kind, deadline)
        return first.joined(second)

    def _call(self, texts: Sequence[str], kind: str) -> Call[Vectors]:
        body: dict[str, Any] = {"input": list(texts), "encoding_format": "float"}
        if self._naming.is_ours:  # other servers refuse fields that they do not know
            body |= {"encoding_format": "base64", "input_type": kind}

        def read(answer: dict[str, Any]) -> Vectors:
            return read_vectors(answer, len(texts))

        return Call(route=ROUTE, body=body, prompts=(), read=read)
