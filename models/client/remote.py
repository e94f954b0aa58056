"""Ranker and summarizer that a URL names: behind a model server, or stand-ins without a model.

`http://host:port` and `https://host:port` name a server of ours or an SGLang. They need the tokenizer of the checkpoint
that is served there, because token ids are sent; only an extractive summarizer is sent text. `instant:` names the
stand-ins; the summarizer of `instant:2` says that it is generation 2.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from models.calibration import Calibration, is_calibrated, read_calibration
from models.client.connected import Connected
from models.client.http import Call, ClientConfig, ModelClient, Watch, check_url, trust
from models.client.limiter import Load, Sent, TextLimiter
from models.client.responses import ByBaseName, read_completion, read_scores
from models.client.texts import TextSender
from models.prompts import Item, Prompter, summarizer_input
from models.ranker import SCORED_AS, LexicalRanker, Ranker
from models.summarizer import (
    InstantSummarizer,
    Summarizer,
    Summary,
    SummaryFailure,
    SummaryRejected,
    SummaryUnavailable,
)
from schemas.backoff import Backoff
from schemas.errors import ConfigError, ModelRejected, ModelUnavailable

Scores = tuple[str, list[float]]
"""Name of the model that answered, and `p_yes` of each item."""

_Prompt = tuple[str, list[int]]
"""A `summarizer_input` and the token ids of its prompt."""
FREQUENCY_PENALTY = 1.0
"""Sent with every summary: without it a small model may repeat itself to the end."""
KEPT_S = 300.0
"""How long all attempts of one text may take together: far longer than a call, which others continue."""
ITEMS_PER_CALL = 128
"""Items of one request; a longer list is sent as several, each within the limits of SGLang and of our server."""


def open_ranker(
    url: str,
    tokenizer: Path | None = None,
    config: ClientConfig | None = None,
    *,
    calibration: Path | None = None,
    scored_as: str | None = None,
) -> Ranker:
    """Return the ranker that a URL names; raises ConfigError for a URL that names none.

    `calibration`: the checkpoint whose calibration is applied here, for a server that knows none, such as SGLang.
    `scored_as`: mode and arithmetic of a server that does not tell them, such as `multi-item/bfloat16`.
    """
    if scored_as is not None and (not scored_as or len(scored_as.split()) != 1):
        raise ConfigError(f"--scored-as must be one word, such as multi-item/bfloat16, not {scored_as!r}")
    found = None if calibration is None else read_calibration(calibration)
    if calibration is not None and found is None:
        raise ConfigError(
            f"--calibration {calibration}: no calibration.json there, `nearline train calibrate` makes one"
        )
    if url == "instant:":
        return LexicalRanker()
    return HttpRanker(url, *_checked(url, tokenizer, config), calibration=found, scored_as=scored_as)


def open_summarizer(
    url: str, tokenizer: Path | None = None, config: ClientConfig | None = None
) -> Summarizer:
    """Return the summarizer that a URL names; raises ConfigError for a URL that names none."""
    scheme, _, generation = url.partition(":")
    if scheme == "instant" and (not generation or (generation.isascii() and generation.isdigit())):
        return InstantSummarizer(f"instant@{generation or 1}")
    return HttpSummarizer(url, *_checked(url, tokenizer, config))


class _InFlight(Watch):
    """A text in flight, as the client's watch over its attempts."""

    def __init__(self, limiter: TextLimiter, sent: Sent) -> None:
        self._limiter, self._sent = limiter, sent

    @override
    def begin(self) -> None:
        """Take the attempt's time for the text's, so that pauses between attempts count for nothing."""
        self._limiter.again(self._sent)

    @override
    def is_last(self) -> bool:
        """Ask the limiter, which knows every text of this process."""
        return self._limiter.is_last(self._sent)

    @override
    def probed(self, at: float) -> None:
        """Tell the limiter, so that every text sent before counts as overtaken."""
        self._limiter.probed(at)

    @override
    def overtaken(self) -> bool:
        """Ask the limiter."""
        return self._limiter.overtaken(self._sent)


class HttpRanker(Connected, Ranker):
    """A ranker behind a model server, which computes `p_yes` in fp32 as a softmax over the two labels."""

    def __init__(
        self,
        url: str,
        prompter: Prompter,
        config: ClientConfig,
        model: str = "ranker",
        *,
        calibration: Calibration | None = None,
        scored_as: str | None = None,
    ) -> None:
        """`model` is the base of the served name, `ranker` of `ranker@7`; the server says the generation.

        `calibration` is applied to answers of a model whose name does not say that the server applied one.
        `scored_as` stands in the place of what the server tells.
        """
        self._prompter = prompter
        self._config = config
        self._calibration = calibration
        self._name: str | None = None
        self._said, self._told = scored_as, ""
        example = Item(title="Nurse", company=None, location=None, employment_type=None, remote=None, text="")
        canary = self._call(prompter.prefix_ids("nurse"), prompter.item_ids_many([example]))
        super().__init__(lambda: _client(url, model, prompter, config, canary))

    @property
    @override
    def model(self) -> str:
        """Name in the latest answer; before the first one the server is asked, which may raise ModelUnavailable."""
        if self._name is None:
            self._name, _ = self._calibrated(self._loop.run(self._served()), [])
        return self._name

    @property
    @override
    def scored_as(self) -> str:
        """What the caller said, else what the server told when it was last asked for its name."""
        return self._said or self._told or SCORED_AS

    @override
    def score_many(self, query: str, items: Sequence[Item], deadline_s: float) -> list[float]:
        """As `answer_many`, without the name."""
        return self.answer_many(query, items, deadline_s)[1] if items else []

    @override
    def answer_many(self, query: str, items: Sequence[Item], deadline_s: float) -> Scores:
        """Send ITEMS_PER_CALL items a request, `concurrency` at a time; ModelUnavailable if two models answer."""
        if not items:
            return self.model, []
        prefix, rows = self._prompter.prefix_ids(query), self._prompter.item_ids_many(items)
        starts = range(0, len(rows), ITEMS_PER_CALL)
        calls = [self._call(prefix, rows[start : start + ITEMS_PER_CALL]) for start in starts]
        answers = self._loop.run(self._ask_all(calls, time.monotonic() + deadline_s))
        names = {name for name, _ in answers}
        if len(names) > 1:
            raise ModelUnavailable(f"the model changed during one request: {sorted(names)}")
        name, scores = self._calibrated(names.pop(), [score for _, some in answers for score in some])
        self._name = name
        return name, scores

    def _calibrated(self, name: str, scores: list[float]) -> Scores:
        """The name and scores after the calibration, which is never applied twice."""
        if self._calibration is None or is_calibrated(name):
            return name, scores
        return self._calibration.name(name), [self._calibration.p_yes(score, 1 - score) for score in scores]

    async def _served(self) -> str:
        served = await self._client().served()
        self._told = served.scored_as
        return served.name

    async def _ask_all(self, calls: Sequence[Call[Scores]], deadline: float) -> list[Scores]:
        client, gate = self._client(), asyncio.Semaphore(self._config.concurrency)

        async def ask(call: Call[Scores]) -> Scores:
            async with gate:
                return await client.ask(call, deadline)

        outcomes = await asyncio.gather(*map(ask, calls), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        if client.known is not None:
            self._told = client.known.scored_as
        return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]

    def _call(self, prefix: list[int], items: list[list[int]]) -> Call[Scores]:
        body = {
            "query": prefix,
            "items": items,
            "label_token_ids": list(self._prompter.label_ids),
            "apply_softmax": True,
        }

        def read(answer: dict[str, Any]) -> Scores:
            return str(answer["model"]), read_scores(answer, len(items))

        return Call(route="/v1/score", body=body, prompts=[prefix, *items], read=read)


class HttpSummarizer(Connected, Summarizer):
    """A summarizer behind a model server: greedy decoding, one request a text, as many at a time as it keeps up with.

    `concurrency` of them at most. A text that the server has accepted is waited for also by later calls, for `KEPT_S`.
    """

    def __init__(self, url: str, prompter: Prompter, config: ClientConfig, model: str = "summarizer") -> None:
        """`model` is the base of the served name, `summarizer` of `summarizer@9`."""
        self._prompter = prompter
        self._config = config
        self._limiter = self._unlearned()
        self._senders: dict[ModelClient, TextSender[Summary]] = {}
        nurse = summarizer_input("Nurse", "")
        canary = self._call(nurse, prompter.summarizer_ids_many([nurse])[0], max_tokens=1)
        super().__init__(lambda: _client(url, model, prompter, config, canary))

    @override
    def summarize_many(self, texts: Sequence[str], deadline_s: float) -> list[Summary | SummaryFailure]:
        """Send each text in its own request, as token ids, or as it is to a summarizer that repeats parts of it.

        An outage or a refusal becomes the text's failure. What would not be answered by the deadline is not sent.
        """
        prompts = list(zip(texts, self._prompter.summarizer_ids_many(texts), strict=True))
        return self._loop.run(self._all(prompts, time.monotonic() + deadline_s))

    def load(self) -> Load:
        """What this process's client does now, for metrics."""
        return self._limiter.load()

    async def _all(self, prompts: Sequence[_Prompt], deadline: float) -> list[Summary | SummaryFailure]:
        client, gate = self._client(), asyncio.Semaphore(self._config.concurrency)
        sender = self._sender(client)
        sender.begin()

        async def one(prompt: _Prompt) -> Summary | SummaryFailure:
            async with gate:
                return await self._summarize(client, sender, prompt, deadline)

        return list(await asyncio.gather(*map(one, prompts)))

    async def _summarize(
        self, client: ModelClient, sender: TextSender[Summary], prompt: _Prompt, deadline: float
    ) -> Summary | SummaryFailure:
        text, ids = prompt
        call = self._call(text, ids, self._prompter.summary_budget(ids))

        async def request(sent: Sent) -> Summary:
            return await client.ask(call, time.monotonic() + KEPT_S, _InFlight(self._limiter, sent))

        try:
            return await sender.ask(self._key(text, ids), request, deadline)
        except ModelUnavailable as error:
            return SummaryUnavailable(reason=str(error), retry_after_s=error.retry_after_s)
        except ModelRejected as error:
            return SummaryRejected(reason=str(error))

    @override
    async def _close(self) -> None:
        for sender in self._senders.values():
            sender.close()
        self._senders.clear()
        await super()._close()

    def _unlearned(self) -> TextLimiter:
        pauses = Backoff(first_s=self._config.backoff_s, longest_s=self._config.backoff_max_s)
        return TextLimiter(self._config.concurrency, pauses)

    def _sender(self, client: ModelClient) -> TextSender[Summary]:
        """Return the sender of this process's client; a forked child has another client, and nothing in flight."""
        if client not in self._senders:
            busy, self._limiter = self._config.retry_busy, self._unlearned()
            made = TextSender[Summary](self._limiter, attempts=self._config.attempts, retry_busy=busy)
            self._senders = {client: made}
        return self._senders[client]

    def _key(self, text: str, ids: list[int]) -> tuple[object, ...]:
        """Return what tells one prompt in flight from another: what is sent of it."""
        return (text,) if self._prompter.summarizer_reads_text else tuple(ids)

    def _call(self, text: str, prompt: list[int], max_tokens: int) -> Call[Summary]:
        reads_text = self._prompter.summarizer_reads_text
        body = {
            "prompt": self._prompter.summarizer_prompt(text) if reads_text else prompt,
            "max_tokens": max_tokens,
            "temperature": 0.0,
            "frequency_penalty": FREQUENCY_PENALTY,
        }

        def read(answer: dict[str, Any]) -> Summary:
            text, tokens = read_completion(answer)
            length = len(prompt) - self._prompter.summarizer_fixed_tokens
            return Summary(text=text, tokens=tokens, input_tokens=length, model=str(answer["model"]))

        return Call(route="/v1/completions", body=body, prompts=[prompt], read=read)


def _client(url: str, model: str, prompter: Prompter, config: ClientConfig, canary: Call[Any]) -> ModelClient:
    naming = ByBaseName(model, prompter.budget)
    return ModelClient(url, naming, config, vocab_size=prompter.vocab_size, canary=canary)


def _checked(url: str, tokenizer: Path | None, config: ClientConfig | None) -> tuple[Prompter, ClientConfig]:
    """Check what a client needs, so that ConfigError comes before the first request."""
    config = config or ClientConfig()
    check_url(url)
    trust(config.ca_file)
    if tokenizer is None:
        raise ConfigError(f"{url} needs the tokenizer directory of the checkpoint that is served there")
    return Prompter.from_dir(tokenizer), config
