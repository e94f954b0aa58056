"""The teacher that `nearline train judge` asks and the pairs that it grades, from the command's options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import typer

from nearline.cli.judge_progress import Bar
from schemas.errors import ConfigError, ModelUnavailable
from training.judging.drawing import Drawing
from training.judging.policy import Policy
from training.judging.postings import read_postings
from training.judging.queries import Query, pairs_of, queries_of_table, read_queries
from training.judging.records import Judgement, Split, Teacher
from training.judging.run import check_splits, judge
from training.judging.unjudged import Rejects
from training.teachers.cache import VerdictCache, cache_file
from training.teachers.endpoint import EndpointConfig
from training.teachers.llm import LlmTeacher, Spent

INTERRUPTED = 130
_RULES_CHUNK = 256
_WHOLE_RUN = 10**9
"""An LLM teacher keeps several calls in flight; at the end of each chunk it would wait for the last of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """The settings of a run, its rejects, and the bar that shows its progress."""

    kind: Literal["rules", "llm"]
    policy: Policy
    endpoint: EndpointConfig
    cache: Path
    rejects: Rejects
    bar: Bar
    seed: int
    drawing: Drawing = field(default_factory=Drawing)
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """A teacher, the number of pairs it gets at once, and the function called after each chunk with its size."""

    teacher: Teacher
    chunk: int
    done: Callable[[int], object]


def drawn_rows(opening: Opening, postings: Path, counts: Mapping[Split, int]) -> Iterator[Judgement]:
    """Judgements of queries that the rules draw from the postings, pool by pool."""
    if opening.kind != "rules":
        raise ConfigError("--teacher llm needs --queries, such as the table of a run by --teacher rules")
    from training.rules.teaching import COUNTS, drawn

    counts = counts or COUNTS
    rows = list({row.posting_id: row for row in read_postings(postings)}.values())
    opening.bar.start(sum(counts.values()))
    for query in drawn(rows, counts, opening.policy, opening.seed, opening.cache, opening.drawing):
        opening.bar.done(1)
        yield from query


def asked_rows(opening: Opening, postings: Path, queries: Path) -> Iterator[Judgement]:
    """Judgements of the pairs of a queries file or of a judged table, in the file's order."""
    asked = queries_of_table(queries) if queries.suffix == ".parquet" else read_queries(queries)
    named = {posting_id for query in asked for posting_id in query.posting_ids}
    drawing = not all(query.posting_ids for query in asked)
    # of two postings with one id the later one counts, as in a stream
    rows = {row.posting_id: row for row in read_postings(postings) if drawing or row.posting_id in named}
    if drawing:
        from training.judging.pools import with_pools

        asked = with_pools(asked, list(rows.values()), seed=opening.seed)
    pairs = pairs_of(asked, rows)
    check_splits(asked, rows)
    opening.bar.start(len(pairs))
    with _open(opening, asked) as grading:
        yield from judge(
            pairs,
            grading.teacher,
            opening.policy,
            opening.rejects,
            chunk=grading.chunk,
            done=grading.done,
        )


@contextmanager
def extra() -> Iterator[None]:
    """Turn the error of a missing package into a ConfigError that says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed: pip install 'nearline-job-search[train]'"
        ) from error


@contextmanager
def _open(opening: Opening, asked: Sequence[Query]) -> Iterator[Grading]:
    """Open the teacher of a run; when an outage or Ctrl-C ends the run, the message says which verdicts are kept."""
    if opening.kind == "rules":
        from training.rules.teaching import rule_teacher

        teacher = rule_teacher([query.ask for query in asked])
        yield Grading(teacher=teacher, chunk=_RULES_CHUNK, done=opening.bar.done)
        return
    if not opening.endpoint.url or not opening.endpoint.model:
        raise ConfigError("--teacher llm needs --url and --model")
    path = cache_file(opening.cache, f"{opening.policy.name}-{opening.endpoint.model}")
    with VerdictCache(path) as cache, _llm(opening, cache) as llm:
        try:
            yield Grading(teacher=llm, chunk=_WHOLE_RUN, done=lambda _count: None)
        except ModelUnavailable as error:
            raise ConfigError(f"{error}\n{_kept(cache)}") from error
        except KeyboardInterrupt:
            typer.echo(f"\nstopped: {_kept(cache)}", err=True)
            raise typer.Exit(INTERRUPTED) from None


def _llm(opening: Opening, cache: VerdictCache) -> LlmTeacher:
    return LlmTeacher(
        opening.policy,
        opening.endpoint,
        cache,
        rejects=opening.rejects,
        spent=opening.spent,
        progress=lambda: opening.bar.done(1),
    )


def _kept(cache: VerdictCache) -> str:
    return f"{len(cache)} verdicts are kept in {cache.path}, the same command goes on from there"
