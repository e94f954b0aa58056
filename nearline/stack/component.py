"""Descriptions of the stack's parts: how to start each, and how to see that it works."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

#: One client for all checks: each new one would load the certificate authorities, which takes 30 ms of processor time.
HTTP = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), trust_env=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A long-running process. `ready` is also its health check while it runs, so that it must be cheap."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    #: one line that says what an unhealthy component that runs waits for; "" when it does not tell
    trouble: Callable[[], str] = lambda: ""
    #: called once each time that the component has become ready, for instance to create topics
    on_ready: Callable[[], object] = lambda: None
    ready_timeout_s: float = 120.0
    stop_timeout_s: float = 20.0
    #: name of a component: when that one exits, this one is restarted as well
    restarts_with: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A job inside another component, such as a Flink job: submitted again whenever the component does not have it."""

    name: str
    command: tuple[str, ...]
    #: whether the component has the job; None while it does not answer
    present: Callable[[], bool | None]
    ready: Callable[[], bool]
    cancel: Callable[[], None]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_timeout_s: float = 300.0


def complaint(url: str, timeout_s: float = 2.0) -> str:
    """The first line of an answer to GET `url` that is not 200; "" without an answer."""
    try:
        answer = HTTP.get(url, timeout=timeout_s)
    except httpx.HTTPError:
        return ""
    return "" if answer.status_code == 200 else answer.text.strip().partition("\n")[0]


def answers(url: str, timeout_s: float = 2.0) -> bool:
    """Whether GET `url` answers 200."""
    try:
        return HTTP.get(url, timeout=timeout_s).status_code == 200
    except httpx.HTTPError:
        return False
