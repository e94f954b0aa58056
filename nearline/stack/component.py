"""One supervised part of the stack: how to start it and how to know that it works."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

#: One for all checks: a new client loads the certificate authorities again, for 30 ms of processor time.
HTTP = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), trust_env=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A long-running process. `ready` must be cheap: it is also the health check of a running component."""

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    #: runs once each time the component has become ready (create topics, say)
    on_ready: Callable[[], object] = lambda: None
    ready_timeout_s: float = 120.0
    stop_timeout_s: float = 20.0
    #: the component whose death makes this one useless until it starts anew, too
    dies_with: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Something that lives inside another component (a Flink job): submitted again whenever it is not there."""

    name: str
    command: tuple[str, ...]
    #: None while the host cannot tell
    present: Callable[[], bool | None]
    ready: Callable[[], bool]
    cancel: Callable[[], None]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_timeout_s: float = 300.0


def answers(url: str, timeout_s: float = 2.0) -> bool:
    """Whether GET `url` answers 200."""
    try:
        return HTTP.get(url, timeout=timeout_s).status_code == 200
    except httpx.HTTPError:
        return False
