"""`nearline train judge`."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer
from rich.console import Console

from nearline.cli.from_settings import from_settings
from nearline.cli.judge_progress import Bar, show
from nearline.cli.teachers import Opening, asked_rows, drawn_rows, extra
from schemas.errors import ConfigError
from schemas.settings import Option
from training.judging.drawing import Asked, Domain, Drawing, RuleSet
from training.judging.policy import MATCHING, load_policy
from training.judging.records import Judgement, Split
from training.judging.run import GradeCounts
from training.judging.unjudged import Rejects
from training.teachers.endpoint import EndpointConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRun:
    """What is graded, by whom, and where the table goes."""

    postings: Annotated[Path, Option("Postings, JSON Lines, plain or .gz.")]
    out: Annotated[Path, Option("The judged table, Parquet; unjudged pairs go beside it.")]
    queries: Annotated[
        Path | None,
        Option(
            "JSON Lines {query_id, query, items: [posting ids]}, items drawn where none are named; or a judged "
            "table, whose pairs are graded again. Default, rules only: drawn from the postings."
        ),
    ] = None
    teacher: Annotated[Literal["rules", "llm"], Option("Who grades.")] = "rules"
    policy: Annotated[Path, Option("The product policy, TOML.")] = MATCHING
    splits: Annotated[
        str, Option("Without --queries: how many are drawn for each split, such as train=8000,test=800.")
    ] = ""
    seed: Annotated[int, Option("Seed of the queries and items that are drawn.")] = 0
    domain: Annotated[
        Domain | None,
        Option("rules: the lexicon, health, technology or general; default: told by the titles."),
    ] = None
    rules: Annotated[
        RuleSet, Option("rules: the first rule set, or the second, which is never trained on.")
    ] = "first"
    asks: Annotated[Asked, Option("first rules, test: any queries, or without or with held-out entries.")] = (
        "any"
    )
    dense: Annotated[bool, Option("rules: MiniLM's neighbours join the pools of dev and test.")] = False
    matched_by: Annotated[
        Path | None,
        Option(
            "rules: pools hold what the matcher finds by this summarizer's summaries, as alerts do.",
            metavar="DIR",
        ),
    ] = None
    cache: Annotated[Path, Option("Folder of verdicts paid for and evidence found.")] = Path("build/judge")


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("judge")(train_judge)


@from_settings
def train_judge(
    run: JudgeRun,
    endpoint: partial[EndpointConfig],
    *,
    api_key_env: Annotated[str, typer.Option(help="llm: the environment variable that holds the key.")] = "",
    request: Annotated[
        str, typer.Option(help="llm: JSON object of request fields to set otherwise; null takes one out.")
    ] = "{}",
) -> None:
    """Grade postings for queries by a written policy; after a stop the same command goes on and pays nothing twice."""
    asked = endpoint(api_key=_key(api_key_env), request=_request(request))
    console, policy, rejects = Console(stderr=True), load_policy(run.policy), Rejects()
    summary = GradeCounts(policy)
    _check_out(run.out)
    with extra(), Bar(console) as bar:
        opening = Opening(
            kind=run.teacher,
            policy=policy,
            endpoint=asked,
            cache=run.cache,
            rejects=rejects,
            bar=bar,
            seed=run.seed,
            drawing=Drawing(
                dense=run.dense,
                domain=run.domain,
                rules=run.rules,
                asked=run.asks,
                matched_by=run.matched_by,
            ),
        )
        if run.queries is None:
            rows = drawn_rows(opening, run.postings, _counts(run.splits))
        else:
            rows = asked_rows(opening, run.postings, run.queries)
        _write(run.out, summary.counting(rows), rejects)
    show(console, summary, rejects, opening.spent)


def _write(out: Path, rows: Iterator[Judgement], rejects: Rejects) -> None:
    """Write the table and, beside it, the unjudged pairs. ConfigError when no pair at all was judged."""
    from training.judging.table import write_judgements

    unjudged = out.with_suffix(".unjudged.jsonl")
    first = next(rows, None)
    if first is None:
        rejects.write(unjudged)
        raise ConfigError(f"no pair was judged, {unjudged} says why; {out} was not changed")
    write_judgements(out, chain([first], rows))
    rejects.write(unjudged)


def _counts(text: str) -> dict[Split, int]:
    """Parse `train=8000,test=800` into queries by split; {} for "". ConfigError for any other text."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    known = {split: split for split in get_args(Split)}
    for name, _, count in pairs:
        if name not in known or not count.isdecimal():
            raise ConfigError(f"--splits {text!r}: give NAME=COUNT,… with names of {', '.join(known)}")
    return {known[name]: int(count) for name, _, count in pairs if int(count)}


def _key(variable: str) -> str | None:
    """The API key in an environment variable; ConfigError when that variable is not set."""
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
    """Raise ConfigError when the table cannot be written, before any call to a teacher is paid for."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {out}: its folder cannot be made: {error}") from error
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise ConfigError(f"--out {out}: give the name of a file in a folder that can be written")
