"""Which teacher `nearline train judge` asks, put together from its options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer

from schemas.errors import ConfigError, ModelUnavailable
from training.judged import Teacher
from training.policy import Policy
from training.teachers.cache import VerdictCache, cache_file
from training.teachers.endpoint import EndpointConfig
from training.teachers.llm import LlmTeacher, Spent
from training.teachers.rejects import Rejects

INTERRUPTED = 130
_RULES_CHUNK = 256
_WHOLE_RUN = 10**9
"""An LLM teacher keeps its calls in flight by itself: chunks would make it wait at their ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a teacher is made of."""

    kind: Literal["rules", "llm"]
    policy: Policy
    endpoint: EndpointConfig
    cache: Path
    rejects: Rejects
    done: Callable[[int], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """A teacher, how many pairs it is given at once, and whom the run tells of each chunk."""

    teacher: Teacher
    chunk: int
    done: Callable[[int], object]
    spent: Spent | None = None


@contextmanager
def open_teacher(opening: Opening) -> Iterator[Grading]:
    """The teacher of a run; an outage or Ctrl-C ends the run and says what is kept."""
    if opening.kind == "rules":
        yield Grading(teacher=_rules(), chunk=_RULES_CHUNK, done=opening.done)
        return
    if not opening.endpoint.url or not opening.endpoint.model:
        raise ConfigError("--teacher llm needs --url and --model")
    path = cache_file(opening.cache, f"{opening.policy.name}-{opening.endpoint.model}")
    with VerdictCache(path) as cache, _llm(opening, cache) as teacher:
        grading = Grading(teacher=teacher, chunk=_WHOLE_RUN, done=lambda _count: None, spent=teacher.spent)
        try:
            yield grading
        except ModelUnavailable as error:
            raise ConfigError(f"{error}\n{_kept(cache)}") from error
        except KeyboardInterrupt:
            typer.echo(f"\nstopped; {_kept(cache)}", err=True)
            raise typer.Exit(INTERRUPTED) from None


def _llm(opening: Opening, cache: VerdictCache) -> LlmTeacher:
    return LlmTeacher(
        opening.policy,
        opening.endpoint,
        cache,
        rejects=opening.rejects,
        progress=lambda: opening.done(1),
    )


def _rules() -> Teacher:
    raise ConfigError("--teacher rules: not there yet")


def _kept(cache: VerdictCache) -> str:
    return f"{len(cache)} verdicts are kept in {cache.path}: the same command goes on from there"
