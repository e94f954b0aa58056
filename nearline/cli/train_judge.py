"""`nearline train judge`."""

import json
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer
from rich.console import Console

from nearline.cli.judge_progress import Bar, show
from nearline.cli.teachers import Opening, asked_rows, drawn_rows, extra
from schemas.errors import ConfigError
from training.judging.policy import MATCHING, load_policy
from training.judging.records import Judgement, Split
from training.judging.run import GradeCounts
from training.judging.unjudged import Rejects
from training.teachers.endpoint import EndpointConfig

_DEFAULTS = EndpointConfig(url="", model="")

Queries = Annotated[
    Path | None,
    typer.Option(
        help="JSON Lines {query_id, query, items: [posting ids]}, items drawn where none are named; or a judged "
        "table, whose pairs are graded again. Default, rules only: drawn from the postings."
    ),
]
Splits = Annotated[
    str,
    typer.Option(help="Without --queries: how many are drawn for each split, such as train=8000,test=800."),
]
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
    postings: Annotated[Path, typer.Option(help="Postings, JSON Lines, plain or .gz.")],
    out: Annotated[Path, typer.Option(help="The judged table, Parquet; unjudged pairs go beside it.")],
    queries: Queries = None,
    teacher: Annotated[Literal["rules", "llm"], typer.Option(help="Who grades.")] = "rules",
    policy: Annotated[Path, typer.Option(help="The product policy, TOML.")] = MATCHING,
    splits: Splits = "",
    seed: Annotated[int, typer.Option(help="Of queries and items that are drawn.")] = 0,
    dense: Annotated[
        bool, typer.Option("--dense", help="rules: MiniLM's neighbours join the pools of dev and test.")
    ] = False,
    url: Url = _DEFAULTS.url,
    model: Annotated[str, typer.Option(help="llm: the model's name there.")] = _DEFAULTS.model,
    api_key_env: Annotated[str, typer.Option(help="llm: the environment variable that holds the key.")] = "",
    requests_per_minute: Annotated[
        float, typer.Option(min=0, help="llm: at most; 0 = no limit.")
    ] = _DEFAULTS.requests_per_minute,
    concurrency: Annotated[int, typer.Option(min=1, help="llm: calls in flight.")] = _DEFAULTS.concurrency,
    attempts: Annotated[int, typer.Option(min=1, help="llm: of one call that fails.")] = _DEFAULTS.attempts,
    attempt_s: Annotated[float, typer.Option(help="llm: limit of one attempt.")] = _DEFAULTS.attempt_s,
    cache: Annotated[Path, typer.Option(help="Folder of verdicts paid for and evidence found.")] = Path(
        "build/judge"
    ),
    request: Request = "{}",
) -> None:
    """Grade postings for queries by a written policy; stopped, the same command goes on and pays nothing twice."""
    endpoint = EndpointConfig(
        url=url,
        model=model,
        api_key=_key(api_key_env),
        requests_per_minute=requests_per_minute,
        concurrency=concurrency,
        attempts=attempts,
        attempt_s=attempt_s,
        request=_request(request),
    )
    console, chosen, rejects = Console(stderr=True), load_policy(policy), Rejects()
    summary = GradeCounts(chosen)
    _check_out(out)
    with extra(), Bar(console) as bar:
        opening = Opening(
            kind=teacher,
            policy=chosen,
            endpoint=endpoint,
            cache=cache,
            rejects=rejects,
            bar=bar,
            seed=seed,
            dense=dense,
        )
        if queries is None:
            rows = drawn_rows(opening, postings, _counts(splits))
        else:
            rows = asked_rows(opening, postings, queries)
        _write(out, summary.counting(rows), rejects)
    show(console, summary, rejects, opening.spent)


def _write(out: Path, rows: Iterator[Judgement], rejects: Rejects) -> None:
    """The table and, beside it, the pairs that stayed unjudged; ConfigError when that is all of them."""
    from training.judging.table import write_judgements

    unjudged = out.with_suffix(".unjudged.jsonl")
    first = next(rows, None)
    if first is None:
        rejects.write(unjudged)
        raise ConfigError(f"not one pair was judged, {unjudged} says why; {out} is as it was")
    write_judgements(out, chain([first], rows))
    rejects.write(unjudged)


def _counts(text: str) -> dict[Split, int]:
    """Queries by split of `train=8000,test=800`; {} for none. ConfigError for anything else."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    known = {split: split for split in get_args(Split)}
    for name, _, count in pairs:
        if name not in known or not count.isdecimal():
            raise ConfigError(f"--splits {text!r}: give NAME=COUNT,… with names of {', '.join(known)}")
    return {known[name]: int(count) for name, _, count in pairs if int(count)}


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
