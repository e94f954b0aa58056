"""What `nearline train judge` shows: a bar while it judges, and what the run came to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from training.judging import Summary
from training.policy import GRADES
from training.teachers.llm import Spent
from training.teachers.rejects import Rejects


@contextmanager
def counting(console: Console, pairs: int) -> Iterator[Callable[[int], None]]:
    """A bar over so many pairs; call what it gives with how many more are done."""
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("judging", total=pairs)
        yield lambda count: bar.advance(task, count)


def show(console: Console, summary: Summary, rejects: Rejects, spent: Spent | None) -> None:
    """A table of grades and what was not judged on the console; all figures as one line of JSON on stdout."""
    table = Table("", *map(str, GRADES), title=f"{summary.judged} judged, {summary.unjudged} unjudged")
    for name, counts in {**summary.grades, "label": summary.labels}.items():
        total = max(1, sum(counts))
        table.add_row(name, *(f"{count} ({100 * count / total:.0f}%)" for count in counts))
    console.print(table)
    for reason, count in rejects.reasons():
        console.print(f"unjudged {count}: {reason}", highlight=False, markup=False)
    if spent:
        console.print(
            f"{spent.calls} calls, {spent.cached} verdicts from the cache, "
            f"{spent.prompt_tokens} + {spent.completion_tokens} tokens",
            highlight=False,
        )
    figures = {**asdict(summary), "reasons": dict(rejects.reasons()), **(asdict(spent) if spent else {})}
    typer.echo(json.dumps(figures))
