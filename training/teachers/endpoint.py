"""Client of one OpenAI-compatible endpoint: `POST …/chat/completions` with a rate limit, deadlines and bounded retries.

A request has one of three outcomes: an answer; `SuspectInput`, when this request failed `attempts` times or was
refused as it is (`RequestRefused`); `ModelUnavailable`, when the endpoint is down or set up wrong, so that other
requests would fail too.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx
import stamina

from models.client.http import check_url, trust
from models.client.responses import Misconfigured, ServerBusy, SuspectInput, raise_for_status
from schemas.backoff import Backoff
from schemas.errors import ModelUnavailable
from schemas.settings import Option
from training.teachers.limits import RequestLimit

Body = dict[str, Any]
Clock = Callable[[], float]

REFUSED = {400, 413, 422}
"""Statuses by which an endpoint refuses this very request: an unknown field, a text too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """Settings of an endpoint and of its retries; a request is tried `attempts` times."""

    url: Annotated[str, Option("llm: OpenAI-compatible endpoint, http://host:port or https://host/v1.")] = ""
    model: Annotated[str, Option("llm: the model's name there.")] = ""
    api_key: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    """Certificate authorities to trust instead of the system's."""
    requests_per_minute: Annotated[
        float, Option("llm: requests a minute at most; 0 = no limit.", at_least=0)
    ] = 0.0
    concurrency: Annotated[int, Option("llm: calls in flight.", at_least=1)] = 8
    attempts: Annotated[int, Option("llm: attempts of one call.", at_least=1)] = 5
    attempt_s: Annotated[float, Option("llm: seconds that one attempt may take.")] = 120.0
    connect_s: float = 5.0
    patience_s: float = 900.0
    """How long one request may be delayed by "too many requests" (429) before that counts as an outage."""
    backoff_s: float = 0.5
    backoff_max_s: float = 30.0
    max_tokens: int = 1000
    request: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the request with other values; None removes a field (`{"temperature": null}`)."""


class RequestRefused(SuspectInput):
    """The endpoint refuses this very request, so that a retry would change nothing."""


class Endpoint:
    """Sends requests to one endpoint; must be used on one event loop."""

    def __init__(self, config: EndpointConfig, clock: Clock = time.monotonic) -> None:
        """Raise ConfigError for a URL that cannot be a server's."""
        check_url(config.url)
        self._config, self._clock = config, clock
        self._limit = RequestLimit(config.requests_per_minute)
        self._takes_schema = True
        url = httpx.URL(config.url.rstrip("/"))
        self.route = f"{url}/chat/completions" if url.path.strip("/") else f"{url}/v1/chat/completions"
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {config.api_key}"} if config.api_key else {},
            verify=trust(config.ca_file) if url.scheme == "https" else False,
            timeout=httpx.Timeout(None, connect=config.connect_s),
            limits=httpx.Limits(max_connections=2 * config.concurrency),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def body(self, messages: list[dict[str, str]], *, logprobs: bool) -> Body:
        """The request for an answer to these messages, without its `response_format`."""
        body: Body = {"model": self._config.model, "messages": messages, "temperature": 0}
        body["max_tokens"] = self._config.max_tokens
        if logprobs:
            body |= {"logprobs": True, "top_logprobs": 20}
        return {
            name: value for name, value in (body | dict(self._config.request)).items() if value is not None
        }

    async def ask(self, body: Body, response_format: Body) -> Body:
        """The endpoint's JSON answer; raises ModelUnavailable or SuspectInput.

        An endpoint that refuses `response_format` is asked without it from then on.
        """
        if self._takes_schema:
            try:
                return await self._patiently(body | {"response_format": response_format})
            except RequestRefused:
                answer = await self._patiently(body)
                # set only after the plain request succeeded: had it failed too, the schema would not be the cause
                self._takes_schema = False
                return answer
        return await self._patiently(body)

    async def _patiently(self, body: Body) -> Body:
        retries = _Retries(self._config, self._limit, self._clock)
        attempts = stamina.retry_context(
            on=retries.again,
            attempts=None,
            timeout=None,
            wait_initial=self._config.backoff_s,
            wait_max=self._config.backoff_max_s,
            wait_jitter=self._config.backoff_s,
        )
        async for attempt in attempts:
            with attempt:
                await self._turn()
                return await self._attempt(body)
        raise AssertionError  # stamina either returns from the loop or raises

    async def _turn(self) -> None:
        while (wait_s := self._limit.wait_s(self._clock())) > 0:  # noqa: ASYNC110  (time passes; nobody signals)
            await asyncio.sleep(wait_s)
        self._limit.take(self._clock())

    async def _attempt(self, body: Body) -> Body:
        try:
            async with asyncio.timeout(self._config.attempt_s):
                response = await self._http.post(self.route, json=body)
        except TimeoutError as error:
            raise SuspectInput(f"no answer in {self._config.attempt_s:g} s") from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise ModelUnavailable(f"{self.route} cannot be reached: {error}") from error
        except httpx.HTTPError as error:
            raise SuspectInput(f"the connection broke: {error!r}") from error
        return self._read(response)

    def _read(self, response: httpx.Response) -> Body:
        """The answer of a response, or its error; an API key that the endpoint repeated is removed from the message."""
        key = self._config.api_key
        try:
            return raise_for_status(response)
        except (ServerBusy, Misconfigured, SuspectInput) as error:
            words = str(error).replace(key, "***") if key else str(error)
            if isinstance(error, ServerBusy):
                raise ServerBusy(words, retry_after_s=error.retry_after_s) from None
            if isinstance(error, Misconfigured):
                raise Misconfigured(words) from None
            raise (RequestRefused if response.status_code in REFUSED else SuspectInput)(words) from None


class _Retries:
    """Decides whether and when one request is tried again."""

    def __init__(self, config: EndpointConfig, limit: RequestLimit, clock: Clock) -> None:
        self._config, self._limit, self._clock = config, limit, clock
        self._deadline = clock() + config.patience_s
        self._failures = self._refusals = 0

    def again(self, error: Exception) -> bool | float:
        """False, True for the usual wait, or a wait in seconds."""
        if isinstance(error, RequestRefused | Misconfigured) or not isinstance(
            error, SuspectInput | ModelUnavailable
        ):
            return False
        if isinstance(error, ServerBusy):
            return self._rested(error)
        self._failures += 1
        return self._failures < self._config.attempts

    def _rested(self, busy: ServerBusy) -> bool | float:
        """Make all requests wait as long as the endpoint says, or longer each time.

        False when that passes the deadline.
        """
        self._refusals += 1
        backoff = Backoff(first_s=2 * self._config.backoff_s, longest_s=self._config.backoff_max_s)
        backoff_s = backoff.wait_s(self._refusals)
        now, wait_s = self._clock(), (busy.retry_after_s or backoff_s) * random.uniform(1.0, 1.25)
        if now + wait_s > self._deadline:
            return False
        self._limit.hold(now + wait_s)
        return wait_s
