"""The progress bar and the closing table of `nearline train judge`."""

from __future__ import annotations

import json
from dataclasses import asdict
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nearline.cli.progress import progress_display
from training.judging.policy import GRADES
from training.judging.run import GradeCounts
from training.judging.unjudged import Rejects
from training.teachers.llm import Spent


class Bar:
    """A progress bar of the pairs judged; a context manager."""

    def __init__(self, console: Console) -> None:
        self._progress = progress_display(console)
        self._task = self._progress.add_task("judging", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def start(self, total: int) -> None:
        """Set how many pairs or queries there are."""
        self._progress.update(self._task, total=total)

    def done(self, count: int) -> None:
        """Advance by `count`."""
        self._progress.advance(self._task, count)


def show(console: Console, summary: GradeCounts, rejects: Rejects, spent: Spent) -> None:
    """Print a table of grades and the reasons of unjudged pairs, and all figures as one line of JSON on stdout."""
    table = Table("", *map(str, GRADES), title=f"{summary.judged} judged, {len(rejects)} unjudged")
    for name, counts in {**summary.grades, "label": summary.labels}.items():
        total = max(1, sum(counts))
        table.add_row(Text(name), *(f"{count} ({100 * count / total:.0f}%)" for count in counts))
    console.print(table)
    for reason, count in rejects.reasons():
        console.print(f"unjudged {count}: {reason}", highlight=False, markup=False)
    if spent.calls or spent.cached:
        console.print(
            f"{spent.calls} calls, {spent.cached} verdicts from the cache, "
            f"{spent.prompt_tokens} + {spent.completion_tokens} tokens",
            highlight=False,
        )
    figures = {
        "judged": summary.judged,
        "unjudged": len(rejects),
        "reasons": dict(rejects.reasons()),
        "labels": summary.labels,
        "grades": summary.grades,
        **asdict(spent),
    }
    typer.echo(json.dumps(figures))
