"""HTTP client of model servers, ours or SGLang: deadlines, bounded jittered retries, checked requests and answers.

A call that fails raises one of two errors. `ModelUnavailable`: an outage, a missed deadline or a wrong configuration;
ask again later. `ModelRejected`: poison, an input that was refused or failed three times while the server answered
other requests (see `FailureAttribution`).
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NoReturn, Protocol, TypeVar

import httpx
import stamina

from models.client.attribution import FailureAttribution
from models.client.responses import (
    Misconfigured,
    Naming,
    RequestLate,
    ServedModel,
    ServerBusy,
    SuspectInput,
    raise_for_status,
)
from schemas.errors import ConfigError, ModelRejected, ModelUnavailable
from schemas.traffic import TRAFFIC_HEADER, TrafficClass

Result = TypeVar("Result")
Body = dict[str, Any]

POISON_FAILURES = 3
"""An input that failed so many times while the server was healthy is rejected."""
DEADLINE_HEADER = "x-deadline-ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """How a model server is asked. A call ends at its deadline, even if attempts are left."""

    bearer: str | None = None
    ca_file: Path | None = None
    """Certificate authorities to trust instead of the system's."""
    concurrency: int = 16
    attempts: int = 6
    attempt_s: float = 12.0
    """Time limit of one attempt: three of them fit the 45 s that a batch may wait. A watched one may take longer."""
    watched_s: float = 60.0
    """Time limit of an attempt that a `Watch` tells to be slow and not at fault; our server's own limit is the same."""
    connect_s: float = 2.0
    backoff_s: float = 0.1
    backoff_max_s: float = 2.0
    retry_busy: bool = True
    """False: ModelUnavailable is raised at once when the server is busy, for callers that pace themselves."""
    traffic: TrafficClass = TrafficClass.ONLINE
    """What the requests are for: our server takes higher classes first. An SGLang passes the header over."""
    name_ttl_s: float = 30.0
    """How long a served name counts before /v1/models is asked again: SGLang's answers only echo the name asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Result]):
    """One request, which the client checks before it sends it, and how its answer is read."""

    route: str
    body: Body
    prompts: Sequence[Sequence[int]]
    """The token ids in `body`. They are checked: an empty prompt or an id outside the vocabulary ends an SGLang."""
    read: Callable[[Body], Result]
    """Reads the result from the JSON answer; raises SuspectInput if the answer does not hold one."""


class Watch(Protocol):
    """Knows the other requests of this process, and so whether one that takes long is at fault or the server slow."""

    def begin(self) -> None:
        """Note that an attempt begins now."""
        ...

    def is_last(self) -> bool:
        """Whether no request in flight was sent later than this one, so that only a probe tells what is at fault."""
        ...

    def probed(self, at: float) -> None:
        """Note that the server has answered a probe that was sent at `at` (monotonic)."""
        ...

    def overtaken(self) -> bool:
        """Whether this request is at fault: a later one was answered, and this one takes far longer."""
        ...


class ModelClient:
    """Sends requests for one model to one server; to be used on one event loop."""

    def __init__(
        self,
        url: str,
        naming: Naming,
        config: ClientConfig,
        *,
        vocab_size: int,
        canary: Call[Any],
        health_route: str | None = "/health",
    ) -> None:
        """`naming`: which model must answer; `health_route`: None for a server of which only the canary tells."""
        headers = {TRAFFIC_HEADER: config.traffic.label}
        if config.bearer:
            headers["Authorization"] = f"Bearer {config.bearer}"
        self._url, self._naming, self._config = url.rstrip("/"), naming, config
        self._vocab_size, self._canary_call, self._health_route = vocab_size, canary, health_route
        self._http = httpx.AsyncClient(
            base_url=self._url,
            headers=headers,
            # loading the system's certificate authorities takes 0.2 s: skipped where there is no TLS
            verify=trust(config.ca_file) if url.startswith("https:") else False,
            timeout=httpx.Timeout(None, connect=config.connect_s),
            limits=httpx.Limits(max_connections=2 * config.concurrency),
            trust_env=False,
        )
        self._attribution = FailureAttribution(self._healthy, self._canary)
        self._served: ServedModel | None = None
        self._asking: asyncio.Task[ServedModel] | None = None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @property
    def known(self) -> ServedModel | None:
        """What the server said last of the model, None before it was asked; asks nothing."""
        return self._served

    async def served(self) -> ServedModel:
        """Return the served model's name; callers at the same time share one request. Raises ModelUnavailable."""
        if self._served and time.monotonic() < self._served.asked_at + self._config.name_ttl_s:
            return self._served
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_name())
            self._asking.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._asking)

    async def ask(self, call: Call[Result], deadline: float, watch: Watch | None = None) -> Result:
        """Return what `call` reads, by `deadline` (monotonic); raises ModelUnavailable or ModelRejected.

        With a `watch` an attempt is waited for as long as the server is slow, and a busy server is the caller's affair:
        ServerBusy is raised at once.
        """
        self._check(call)
        failures = 0
        attempts = stamina.retry_context(
            on=lambda error: self._wait(
                error, deadline, retry_busy=watch is None and self._config.retry_busy
            ),
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
                            return await self._attempt(call, deadline, watch)
                        except SuspectInput as failure:
                            failures += await self._attribution.server_is_healthy(began_at)
                            self._reject_or_retry(failure, failures)
        except TimeoutError as error:
            raise ModelUnavailable(f"{self._url} gave no answer within the deadline") from error
        except SuspectInput as failure:
            raise ModelUnavailable(f"{self._url} failed, and not this input alone: {failure}") from failure
        raise AssertionError  # stamina either returns from the loop or raises

    async def _ask_name(self) -> ServedModel:
        if (given := self._naming.given()) is not None:
            return ServedModel(name=given, asked_at=time.monotonic())
        try:
            async with _transport_errors(), asyncio.timeout(self._config.attempt_s):
                answer = raise_for_status(await self._http.get("/v1/models"))
        except (SuspectInput, TimeoutError) as error:
            raise ModelUnavailable(f"{self._url} does not list its models: {error!r}") from error
        self._served = self._naming.find(answer)
        return self._served

    def _reject_or_retry(self, failure: SuspectInput, failures: int) -> NoReturn:
        if failures >= POISON_FAILURES:
            raise ModelRejected(
                f"failed {failures} times while its neighbours succeeded: {failure}"
            ) from failure
        raise failure

    def _wait(self, error: Exception, deadline: float, *, retry_busy: bool) -> bool | float:
        """Return whether to try again after an error, or the seconds to wait before that."""
        if isinstance(error, SuspectInput):
            return True
        if isinstance(error, Misconfigured | RequestLate) or not isinstance(error, ModelUnavailable):
            return False
        if isinstance(error, ServerBusy) and not retry_busy:
            return False
        if not isinstance(error, ServerBusy) or error.retry_after_s == 0:
            return True
        wait_s = error.retry_after_s * random.uniform(1.0, 1.25)
        return wait_s if time.monotonic() + wait_s < deadline else False

    async def _attempt(self, call: Call[Result], deadline: float, watch: Watch | None = None) -> Result:
        served = await self.served()
        longest_s = self._config.watched_s if watch else self._config.attempt_s
        limit_s = min(longest_s, deadline - time.monotonic())
        headers = {DEADLINE_HEADER: str(max(1, int(limit_s * 1000)))}
        body = {**call.body, "model": served.name}
        try:
            async with _transport_errors(), asyncio.timeout(limit_s):
                request = self._http.post(call.route, json=body, headers=headers)
                response = await (self._watched(request, watch) if watch else request)
        except TimeoutError as error:
            if watch:
                raise RequestLate(f"{self._url} gave no answer in {limit_s:.1f} s") from error
            raise SuspectInput(f"no answer in {limit_s:.1f} s") from error
        except ModelUnavailable:
            self._served = None  # the server that comes back may serve another generation
            raise
        answer = raise_for_status(response)
        self._naming.check(answer)
        result = call.read(answer)
        self._attribution.record_success()
        return result

    async def _watched(self, request: Coroutine[Any, Any, httpx.Response], watch: Watch) -> httpx.Response:
        """Return the response; SuspectInput once `attempt_s` have passed and the server answers later requests."""
        watch.begin()
        task = asyncio.create_task(request)
        try:
            while not (await asyncio.wait({task}, timeout=self._config.attempt_s))[0]:
                probed_at = time.monotonic()
                if watch.is_last() and await self._attribution.server_is_healthy(probed_at):
                    watch.probed(probed_at)
                if watch.overtaken():
                    raise SuspectInput("no answer, while requests that were sent later are answered")
            return task.result()
        finally:
            task.cancel()

    def _check(self, call: Call[Any]) -> None:
        for prompt in call.prompts:
            if not prompt:
                raise ModelRejected("the prompt is empty")
            if min(prompt) < 0 or max(prompt) >= self._vocab_size:
                raise ModelRejected(
                    f"the prompt holds token ids outside the vocabulary of {self._vocab_size}"
                )

    async def _healthy(self) -> bool:
        if self._health_route is None:
            return True
        try:
            async with asyncio.timeout(self._config.connect_s):
                return (await self._http.get(self._health_route)).status_code == httpx.codes.OK
        except (httpx.HTTPError, TimeoutError):
            return False

    async def _canary(self) -> bool:
        deadline = time.monotonic() + self._config.attempt_s
        try:
            await self._attempt(self._canary_call, deadline)
        except (SuspectInput, ModelUnavailable):
            return False
        return True


@asynccontextmanager
async def _transport_errors() -> AsyncIterator[None]:
    """Raise ModelUnavailable for an unreachable server, SuspectInput for a connection that breaks."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise ModelUnavailable(f"the model server cannot be reached: {error}") from error
    except httpx.HTTPError as error:
        raise SuspectInput(f"the connection broke: {error!r}") from error


def check_url(url: str) -> None:
    """Raise ConfigError for a URL that is not an http or https address."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigError(f"{url!r} is not a URL of a model server: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.host:
        raise ConfigError(
            f"{url!r} names no model server: give http://host:port, https://host:port or instant:"
        )


def trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    """Return what servers' certificates are checked against; ConfigError for a file without certificates."""
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"cannot read the certificate authorities {ca_file}: {error}") from error


def _loop_time(monotonic: float) -> float:
    return asyncio.get_running_loop().time() + monotonic - time.monotonic()
