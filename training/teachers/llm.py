"""The LLM teacher: a `Teacher` over any OpenAI-compatible endpoint. Each pair is one call, and is paid for once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from typing_extensions import override

from models.client.answers import Strike
from models.prompts import MAX_CHARS
from schemas.errors import ModelUnavailable
from training.judging.policy import Policy
from training.judging.postings import PostingRow
from training.judging.records import Ask, Teacher, Verdict
from training.judging.unjudged import Rejects
from training.teachers.answering import BadAnswerError, completion_of, usage_of, verdict_of
from training.teachers.asking import ASKING_VERSION, answer_schema, first_messages, told
from training.teachers.cache import VerdictCache, cache_key
from training.teachers.endpoint import Clock, Endpoint, EndpointConfig, Refused

Pair = tuple[Ask, PostingRow]

OUTAGE = 3
"""So many failed pairs in a row, or as many as are asked at once, and none answered between: it is not the pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmConfig:
    """What of a posting is read, and how often a pair whose answer cannot be used is asked in all."""

    max_chars: int = MAX_CHARS
    answers: int = 3


@dataclass(slots=True, kw_only=True)
class Spent:
    """What a run cost so far; `cached` pairs cost nothing."""

    calls: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class LlmTeacher(Teacher):
    """A teacher behind an LLM's endpoint. A context manager: it holds connections and an event loop; the cache is its caller's."""

    def __init__(
        self,
        policy: Policy,
        endpoint: EndpointConfig,
        cache: VerdictCache,
        config: LlmConfig | None = None,
        *,
        rejects: Rejects | None = None,
        spent: Spent | None = None,
        progress: Callable[[], object] = lambda: None,
        clock: Clock = time.monotonic,
    ) -> None:
        """`progress` is called after each pair; `rejects` learns why a pair stays unjudged, `spent` what it cost."""
        self.spent = Spent() if spent is None else spent
        self._policy, self._settings, self._cache = policy, endpoint, cache
        self._config, self._progress = config or LlmConfig(), progress
        self._rejects = Rejects() if rejects is None else rejects
        self._endpoint = Endpoint(endpoint, clock)
        self._schema = answer_schema(policy)
        self._logprobs = policy.soft_labels.method == "distribution"
        self._runner = asyncio.Runner()
        self._failed_in_a_row = 0

    @property
    def name(self) -> str:
        """The model and the version of the wording that asks it."""
        return f"llm:{self._settings.model}@{ASKING_VERSION}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._endpoint.close())
        self._runner.close()

    @override
    def judge_many(self, pairs: Sequence[Pair]) -> list[Verdict | None]:
        """Raises ModelUnavailable in an outage. What was answered before is in the cache."""
        return self._runner.run(self._judge_many(pairs))

    async def _judge_many(self, pairs: Sequence[Pair]) -> list[Verdict | None]:
        verdicts: list[Verdict | None] = [None] * len(pairs)
        waiting = iter(enumerate(pairs))
        workers = [self._work(waiting, verdicts) for _ in range(min(self._settings.concurrency, len(pairs)))]
        try:
            async with asyncio.TaskGroup() as group:
                for worker in workers:
                    group.create_task(worker)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return verdicts

    async def _work(self, waiting: Iterator[tuple[int, Pair]], verdicts: list[Verdict | None]) -> None:
        for index, pair in waiting:
            verdicts[index] = await self._verdict(*pair)
            self._progress()

    async def _verdict(self, ask: Ask, posting: PostingRow) -> Verdict | None:
        messages = first_messages(self._policy, ask, posting, self._config.max_chars)
        body = self._endpoint.body(messages, logprobs=self._logprobs)
        key = cache_key(body)
        known = self._cache.get(key)
        if known is not None:
            self.spent.cached += 1
            return known
        try:
            verdict = await self._answered(ask, posting, body)
        except Strike as strike:
            self._failed(ask, posting, strike)
            return None
        self._failed_in_a_row = 0
        if verdict is not None:
            self._cache.put(key, verdict, query=ask.query, posting_id=posting.posting_id)
        return verdict

    async def _answered(self, ask: Ask, posting: PostingRow, body: dict[str, Any]) -> Verdict | None:
        """A verdict, asked for again while the answer cannot be used, the mistake told; None after the last time."""
        messages, error, text = body["messages"], "", ""
        for _ in range(self._config.answers):
            answer = await self._endpoint.ask(body, self._schema)
            self._count(answer)
            try:
                text = ""
                completion = completion_of(answer)
                text = completion.text
                return verdict_of(completion, self._policy)
            except BadAnswerError as bad:
                error = str(bad)
            body = body | {"messages": messages + told(text, error)}
        reason = f"no usable answer in {self._config.answers}: {error}"
        self._rejects.add(ask, posting.posting_id, reason, text)
        return None

    def _count(self, answer: dict[str, Any]) -> None:
        prompt, completion = usage_of(answer)
        self.spent.calls += 1
        self.spent.prompt_tokens += prompt
        self.spent.completion_tokens += completion

    def _failed(self, ask: Ask, posting: PostingRow, strike: Strike) -> None:
        """Note a pair that got no answer at all; ModelUnavailable if it is not the pair's fault."""
        refused = isinstance(strike, Refused)
        self._rejects.add(
            ask, posting.posting_id, f"the endpoint {'refused' if refused else 'failed'}: {strike}"
        )
        # Texts too long may well come in a row: refusals speak against the set-up only while nothing ever went well.
        if refused and len(self._cache):
            return
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= max(OUTAGE, self._settings.concurrency):
            raise ModelUnavailable(
                f"{self._settings.url} failed for {self._failed_in_a_row} pairs in a row, at last: {strike}"
            ) from strike
