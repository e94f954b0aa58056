"""TREC's qrels and run files: `query 0 id grade` and `query Q0 id rank score tag`, blank-separated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from schemas.errors import ConfigError
from training.components.arrays import Floats
from training.evaluation.metrics import ranked, single
from training.judging.judged_file import grouped
from training.judging.records import JudgedQuery
from training.judging.rows import JudgedPair

MAX_QREL = 30
"""2^30 is the largest exponential gain; a negative grade is no gain, as with trec_eval."""

Run = dict[str, dict[str, float]]
"""The score of each retrieved id of each query."""


def read_qrels(path: Path) -> list[JudgedQuery]:
    """Judged queries of a qrels file, which has no words and no strata; ConfigError names a line that is wrong."""
    pairs = [_judged(where, fields) for where, fields in _fields(path, 4)]
    if not pairs:
        raise ConfigError(f"{path} holds no judgement: each line is `query 0 id grade`")
    return grouped(pairs)


def read_run(path: Path) -> tuple[str, Run]:
    """A run's tag (the file's name if it has none) and its scores; ConfigError names a line that is wrong."""
    run: Run = {}
    tags: dict[str, None] = {}
    for where, (query, _, posting, _, score, tag) in _fields(path, 6):
        items = run.setdefault(query, {})
        if posting in items:
            raise ConfigError(f"{where}: {posting!r} is retrieved twice for query {query!r}")
        items[posting] = _score(where, score)
        tags[tag] = None
    if not run:
        raise ConfigError(f"{path} holds no retrieved item: each line is `query Q0 id rank score tag`")
    return next(iter(tags)) if len(tags) == 1 else path.stem, run


def write_run(path: Path, queries: Sequence[JudgedQuery], scores: Sequence[Floats], tag: str) -> None:
    """Write `path` and, beside it, the qrels as `path` + `.qrels`; trec_eval then finds our NDCG again."""
    check_names(queries)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(_run_lines(queries, scores, tag)), encoding="utf-8")
    judged = (
        f"{query.query_id} 0 {posting} {label}\n"
        for query in queries
        for posting, label in zip(query.posting_ids, query.labels, strict=True)
    )
    qrels_path(path).write_text("".join(judged), encoding="utf-8")


def check_names(queries: Sequence[JudgedQuery]) -> None:
    """ConfigError for an id that TREC's files, which are separated by blanks, cannot hold."""
    for query in queries:
        for name in (query.query_id, *query.posting_ids):
            if name.split() != [name]:
                raise ConfigError(
                    f"{name!r} of query {query.query_id!r} holds blanks, which TREC's files cannot (--save-run)"
                )


def qrels_path(run: Path) -> Path:
    """Where `write_run` puts the qrels."""
    return run.with_name(f"{run.name}.qrels")


def _run_lines(queries: Sequence[JudgedQuery], scores: Sequence[Floats], tag: str) -> Iterator[str]:
    for query, scores_N in zip(queries, scores, strict=True):
        held = single(scores_N)
        for rank, index in enumerate(ranked(scores_N, query.posting_ids), 1):
            yield f"{query.query_id} Q0 {query.posting_ids[index]} {rank} {held[index]:.9g} {tag}\n"


def _judged(where: str, fields: list[str]) -> JudgedPair:
    query, _, posting, grade = fields
    try:
        label = int(grade)
    except ValueError:
        raise ConfigError(f"{where}: grade must be a whole number, not {grade!r}") from None
    if label > MAX_QREL:
        raise ConfigError(f"{where}: grade {label} is over {MAX_QREL}")
    label = max(0, label)
    return JudgedPair(
        query_id=query,
        query=query,
        posting_id=posting,
        label=label,
        soft_label=0.0,
        split="test",
        strata=(),
        where=where,
    )


def _score(where: str, text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise ConfigError(f"{where}: the score must be a number, not {text!r}")
    return score


def _fields(path: Path, count: int) -> Iterator[tuple[str, list[str]]]:
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                fields = line.split()
                if fields and len(fields) != count:
                    raise ConfigError(
                        f"{path}, line {number}: {len(fields)} fields, not the {count} of this TREC format"
                    )
                if fields:
                    yield f"{path}, line {number}", fields
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text after line {number}: {error}") from error
