"""One OpenAI-compatible endpoint: `POST …/chat/completions` with a pace, deadlines and bounded jittered retries.

What the caller learns is one of three things. `ModelUnavailable`: an outage, or an endpoint set up wrong; nothing
more will be answered now. `Strike`: this request failed `attempts` times, or (`Refused`) as it stands. Else the answer.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import stamina

from models.client.answers import Busy, Misconfigured, Strike, raise_for_status
from models.client.http import check_url, trust
from schemas.errors import ModelUnavailable
from training.teachers.limits import RequestLimit

Body = dict[str, Any]
Clock = Callable[[], float]

REFUSED = {400, 413, 422}
"""Statuses by which an endpoint refuses a request as it stands: a form it does not know, a text too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """How an endpoint is asked; a request is tried `attempts` times, and waits at most `patience_s` for its turn."""

    url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    """Certificate authorities to trust instead of the system's."""
    requests_per_minute: float = 0.0
    """0: no limit."""
    concurrency: int = 8
    attempts: int = 5
    attempt_s: float = 120.0
    connect_s: float = 5.0
    patience_s: float = 900.0
    """How long one request may be put off by "too many requests" before that counts as an outage."""
    backoff_s: float = 0.5
    backoff_max_s: float = 30.0
    max_tokens: int = 1000
    request: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the request set otherwise; None takes one out (`{"temperature": null}`)."""


class Refused(Strike):
    """The endpoint refuses this very request: asking again changes nothing."""


class Endpoint:
    """Asks one endpoint; lives on one event loop."""

    def __init__(self, config: EndpointConfig, clock: Clock = time.monotonic) -> None:
        """Raise ConfigError for what is not the address of a server."""
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
        """The endpoint's JSON answer; raises ModelUnavailable or Strike. A schema it refuses is left out from then on."""
        if self._takes_schema:
            try:
                return await self._patiently(body | {"response_format": response_format})
            except Refused:
                answer = await self._patiently(body)
                # only now: had the plain request failed as well, the schema was not to blame
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
            raise Strike(f"no answer in {self._config.attempt_s:g} s") from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise ModelUnavailable(f"{self.route} cannot be reached: {error}") from error
        except httpx.HTTPError as error:
            raise Strike(f"the connection broke: {error!r}") from error
        return self._read(response)

    def _read(self, response: httpx.Response) -> Body:
        """The answer, or an error in which the key does not stand, should the endpoint have repeated it."""
        key = self._config.api_key
        try:
            return raise_for_status(response)
        except (Busy, Misconfigured, Strike) as error:
            words = str(error).replace(key, "***") if key else str(error)
            if isinstance(error, Busy):
                raise Busy(words, retry_after_s=error.retry_after_s) from None
            if isinstance(error, Misconfigured):
                raise Misconfigured(words) from None
            raise (Refused if response.status_code in REFUSED else Strike)(words) from None


class _Retries:
    """Whether and when one request is tried again."""

    def __init__(self, config: EndpointConfig, limit: RequestLimit, clock: Clock) -> None:
        self._config, self._limit, self._clock = config, limit, clock
        self._deadline = clock() + config.patience_s
        self._failures = self._refusals = 0

    def again(self, error: Exception) -> bool | float:
        """False, True for the usual wait, or a wait in seconds."""
        if isinstance(error, Refused | Misconfigured) or not isinstance(error, Strike | ModelUnavailable):
            return False
        if isinstance(error, Busy):
            return self._rested(error)
        self._failures += 1
        return self._failures < self._config.attempts

    def _rested(self, busy: Busy) -> bool | float:
        """All requests wait as long as the endpoint says, else longer each time; not past the deadline."""
        self._refusals += 1
        backoff_s = min(self._config.backoff_max_s, self._config.backoff_s * 2 ** min(self._refusals, 16))
        now, wait_s = self._clock(), (busy.retry_after_s or backoff_s) * random.uniform(1.0, 1.25)
        if now + wait_s > self._deadline:
            return False
        self._limit.hold(now + wait_s)
        return wait_s
