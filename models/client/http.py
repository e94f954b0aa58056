"""The one HTTP client of model servers, ours or SGLang: deadlines, bounded jittered retries, checks both ways.

What the caller learns is one of two things. `ModelUnavailable`: an outage, a missed deadline or a server set
up wrong; ask again later. `ModelRejected`: poison, an input that was refused or failed three times while the
server's health and its neighbours were good (see `Witness`).
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

import httpx
import stamina

from models.client.answers import (
    Busy,
    Misconfigured,
    Served,
    Strike,
    card_of,
    check_generation,
    raise_for_status,
)
from models.client.witness import Witness
from schemas.errors import ConfigError, ModelRejected, ModelUnavailable

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Body = dict[str, Any]

POISON_STRIKES = 3
DEADLINE_HEADER = "x-deadline-ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """How a model server is asked; `attempts` x `attempt_s` may exceed a call's deadline, which always wins."""

    bearer: str | None = None
    ca_file: Path | None = None
    """Certificate authorities to trust instead of the system's."""
    concurrency: int = 16
    attempts: int = 6
    attempt_s: float = 12.0
    """Hard limit of one attempt: three of them fit the 45 s that a batch may wait."""
    connect_s: float = 2.0
    backoff_s: float = 0.1
    backoff_max_s: float = 2.0
    retry_busy: bool = True
    """False: whoever calls is told at once that the server has too much to do, and paces itself."""
    name_ttl_s: float = 30.0
    """How long the served model's name is believed: SGLang only echoes the name that it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Result]):
    """One request, checked here before a server sees it, and how its answer is read."""

    route: str
    body: Body
    prompts: Sequence[Sequence[int]]
    """The ids in `body`, none of them empty: an empty prompt or a foreign id kills an SGLang."""
    read: Callable[[Body], Result]
    """Raises Strike for an answer that is none."""


class ModelClient:
    """Asks one server for one model; lives on one event loop."""

    def __init__(
        self,
        url: str,
        model: str,
        config: ClientConfig,
        *,
        vocab_size: int,
        context_tokens: int,
        canary: Call[Any],
    ) -> None:
        """`model` is the base of the name that must answer."""
        headers = {"Authorization": f"Bearer {config.bearer}"} if config.bearer else {}
        self._url, self._model, self._config = url.rstrip("/"), model, config
        self._vocab_size, self._context, self._canary_call = vocab_size, context_tokens, canary
        self._http = httpx.AsyncClient(
            base_url=self._url,
            headers=headers,
            # Reading the system's authorities takes a fifth of a second: only where they are needed.
            verify=trust(config.ca_file) if url.startswith("https:") else False,
            timeout=httpx.Timeout(None, connect=config.connect_s),
            limits=httpx.Limits(max_connections=2 * config.concurrency),
            trust_env=False,
        )
        self._witness = Witness(self._healthy, self._canary)
        self._served: Served | None = None
        self._naming: asyncio.Task[Served] | None = None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def served(self) -> Served:
        """Name of the served model, asked for once by all who wait for it; raises ModelUnavailable."""
        if self._served and time.monotonic() < self._served.asked_at + self._config.name_ttl_s:
            return self._served
        if self._naming is None or self._naming.done():
            self._naming = asyncio.create_task(self._ask_name())
            self._naming.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._naming)

    async def ask(self, call: Call[Result], deadline: float) -> Result:
        """The answer as `call` reads it, by `deadline` (monotonic); raises ModelUnavailable or ModelRejected."""
        self._check(call)
        strikes = 0
        attempts = stamina.retry_context(
            on=lambda error: self._wait(error, deadline),
            attempts=self._config.attempts,
            timeout=None,
            wait_initial=self._config.backoff_s,
            wait_max=self._config.backoff_max_s,
            wait_jitter=self._config.backoff_s,
        )
        try:
            async with asyncio.timeout_at(_loop_time(deadline)):
                async for attempt in attempts:
                    with attempt:
                        began_at = time.monotonic()
                        try:
                            return await self._attempt(call, deadline)
                        except Strike as strike:
                            strikes += await self._witness.vouches(began_at)
                            self._judge(strike, strikes)
        except TimeoutError as error:
            raise ModelUnavailable(f"{self._url} gave no answer within the deadline") from error
        except Strike as strike:
            raise ModelUnavailable(f"{self._url} failed, and not this input alone: {strike}") from strike
        raise AssertionError  # stamina either returns from the loop or raises

    async def _ask_name(self) -> Served:
        try:
            async with _transport_errors(), asyncio.timeout(self._config.attempt_s):
                answer = raise_for_status(await self._http.get("/v1/models"))
        except (Strike, TimeoutError) as error:
            raise ModelUnavailable(f"{self._url} does not list its models: {error!r}") from error
        self._served = card_of(answer, self._model, self._context)
        return self._served

    def _judge(self, strike: Strike, strikes: int) -> NoReturn:
        if strikes >= POISON_STRIKES:
            raise ModelRejected(
                f"failed {strikes} times while its neighbours succeeded: {strike}"
            ) from strike
        raise strike

    def _wait(self, error: Exception, deadline: float) -> bool | float:
        """Whether, and after what wait, to try again after an error."""
        if isinstance(error, Strike):
            return True
        if isinstance(error, Misconfigured) or not isinstance(error, ModelUnavailable):
            return False
        if isinstance(error, Busy) and not self._config.retry_busy:
            return False
        if not isinstance(error, Busy) or error.retry_after_s == 0:
            return True
        wait_s = error.retry_after_s * random.uniform(1.0, 1.25)
        return wait_s if time.monotonic() + wait_s < deadline else False

    async def _attempt(self, call: Call[Result], deadline: float) -> Result:
        served = await self.served()
        limit_s = min(self._config.attempt_s, deadline - time.monotonic())
        headers = {DEADLINE_HEADER: str(max(1, int(limit_s * 1000)))}
        body = {**call.body, "model": served.name}
        try:
            async with _transport_errors(), asyncio.timeout(limit_s):
                response = await self._http.post(call.route, json=body, headers=headers)
        except TimeoutError as error:
            raise Strike(f"no answer in {limit_s:.1f} s") from error
        except ModelUnavailable:
            self._served = None  # whatever comes back may be another generation
            raise
        answer = raise_for_status(response)
        check_generation(answer, self._model)
        result = call.read(answer)
        self._witness.success()
        return result

    def _check(self, call: Call[Any]) -> None:
        for prompt in call.prompts:
            if not prompt:
                raise ModelRejected("the prompt is empty")
            if min(prompt) < 0 or max(prompt) >= self._vocab_size:
                raise ModelRejected(
                    f"the prompt holds token ids outside the vocabulary of {self._vocab_size}"
                )

    async def _healthy(self) -> bool:
        try:
            async with asyncio.timeout(self._config.connect_s):
                return (await self._http.get("/health")).status_code == httpx.codes.OK
        except (httpx.HTTPError, TimeoutError):
            return False

    async def _canary(self) -> bool:
        deadline = time.monotonic() + self._config.attempt_s
        try:
            await self._attempt(self._canary_call, deadline)
        except (Strike, ModelUnavailable):
            return False
        return True


@asynccontextmanager
async def _transport_errors() -> AsyncIterator[None]:
    """A server that cannot be reached is an outage; one that breaks off amid a request may have choked on it."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise ModelUnavailable(f"the model server cannot be reached: {error}") from error
    except httpx.HTTPError as error:
        raise Strike(f"the connection broke: {error!r}") from error


def check_url(url: str) -> None:
    """Raise ConfigError for what is not the address of a model server."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigError(f"{url!r} is not a URL of a model server: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.host:
        raise ConfigError(
            f"{url!r} names no model server: give http://host:port, https://host:port or instant:"
        )


def trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    """What certificates are checked against; ConfigError for a file that holds none."""
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"cannot read the certificate authorities {ca_file}: {error}") from error


def _loop_time(monotonic: float) -> float:
    return asyncio.get_running_loop().time() + monotonic - time.monotonic()
