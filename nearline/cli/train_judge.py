"""`nearline train judge`."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from nearline.cli.judged_view import counting, show
from nearline.cli.teachers import Opening, open_teacher
from schemas.errors import ConfigError
from training.judged import PostingRow, read_postings
from training.judging import check_splits, judge, summary_of
from training.policy import MATCHING, load_policy
from training.queries import Query, pairs_of, read_queries
from training.teachers.endpoint import EndpointConfig
from training.teachers.rejects import Rejects

_DEFAULTS = EndpointConfig(url="", model="")

Url = Annotated[
    str, typer.Option(help="llm: OpenAI-compatible endpoint, http://host:port or https://host/v1.")
]
Request = Annotated[
    str, typer.Option(help="llm: JSON object of request fields to set otherwise; null takes one out.")
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("judge")(train_judge)


def train_judge(
    *,
    queries: Annotated[Path, typer.Option(help="JSON Lines {query_id, query, items: [posting ids]}.")],
    postings: Annotated[Path, typer.Option(help="Postings, JSON Lines, plain or .gz.")],
    out: Annotated[Path, typer.Option(help="The judged table, Parquet; unjudged pairs go beside it.")],
    teacher: Annotated[Literal["rules", "llm"], typer.Option(help="Who grades.")] = "rules",
    policy: Annotated[Path, typer.Option(help="The product policy, TOML.")] = MATCHING,
    url: Url = _DEFAULTS.url,
    model: Annotated[str, typer.Option(help="llm: the model's name there.")] = _DEFAULTS.model,
    api_key_env: Annotated[str, typer.Option(help="llm: the environment variable that holds the key.")] = "",
    requests_per_minute: Annotated[
        float, typer.Option(min=0, help="llm: at most; 0 = no limit.")
    ] = _DEFAULTS.requests_per_minute,
    concurrency: Annotated[int, typer.Option(min=1, help="llm: calls in flight.")] = _DEFAULTS.concurrency,
    attempt_s: Annotated[float, typer.Option(help="llm: limit of one attempt.")] = _DEFAULTS.attempt_s,
    cache: Annotated[Path, typer.Option(help="llm: folder of the verdicts paid for.")] = Path("build/judge"),
    request: Request = "{}",
) -> None:
    """Grade the postings of queries by a written policy; stopped, the same command goes on and pays nothing twice."""
    rules, asked = load_policy(policy), read_queries(queries)
    endpoint = EndpointConfig(
        url=url,
        model=model,
        api_key=_key(api_key_env),
        requests_per_minute=requests_per_minute,
        concurrency=concurrency,
        attempt_s=attempt_s,
        request=_request(request),
    )
    pairs = pairs_of(asked, _named(postings, asked))
    check_splits(asked)
    _check_out(out)
    console, rejects = Console(stderr=True), Rejects()
    with counting(console, len(pairs)) as done:
        opening = Opening(
            kind=teacher, policy=rules, endpoint=endpoint, cache=cache, rejects=rejects, done=done
        )
        with open_teacher(opening) as grading:
            judgements = judge(pairs, grading.teacher, rules, rejects, chunk=grading.chunk, done=grading.done)
    rejects.write(unjudged := out.with_suffix(".unjudged.jsonl"))
    if not judgements:
        raise ConfigError(
            f"not one of {len(pairs)} pairs was judged: {unjudged} says why; {out} was not written"
        )
    from training.judged_parquet import write_judged  # noqa: PLC0415  (pyarrow)

    write_judged(out, judgements)
    show(console, summary_of(judgements, rejects, rules), rejects, grading.spent)


def _named(path: Path, queries: list[Query]) -> dict[str, PostingRow]:
    """The postings that the queries name; of two with one id the later counts, as in a stream."""
    wanted = {posting_id for query in queries for posting_id in query.posting_ids}
    return {posting.posting_id: posting for posting in read_postings(path) if posting.posting_id in wanted}


def _key(variable: str) -> str | None:
    """The key in an environment variable; ConfigError when one was named that is not set."""
    if variable and not os.environ.get(variable):
        raise ConfigError(f"--api-key-env {variable}: no such variable is set")
    return os.environ[variable] if variable else None


def _request(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"--request {text!r} is not JSON: {error}") from error
    if (
        not isinstance(fields, dict)
        or {"messages", "model", "response_format", "stream", "n"} & fields.keys()
    ):
        raise ConfigError(
            f"--request {text!r}: give a JSON object; messages, model, response_format, stream and n are set here"
        )
    return fields


def _check_out(out: Path) -> None:
    """Before anything is paid for: ConfigError when the table cannot be written there."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {out}: its folder cannot be made: {error}") from error
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise ConfigError(f"--out {out}: give the name of a file in a folder that can be written")
