"""`nearline dlq list | show | replay`."""

import json
import sys
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from nearline.cli import options
from nearline.shown import cell
from schemas.times import iso
from streaming.tools import dead_letters

app = typer.Typer(
    no_args_is_help=True, help="Messages that could not be processed: look at them, send them back."
)

Bootstrap = Annotated[str | None, typer.Option(help="Kafka's brokers; default: the local stack's.")]
First = Annotated[int, typer.Option("--from", help="First offset within the dead-letter topic.")]
Last = Annotated[int | None, typer.Option("--to", help="Last offset, included; default: the newest.")]


@app.command("list")
def list_letters(
    first: First = 0, last: Last = None, bootstrap: Bootstrap = None, home: options.Home = None
) -> None:
    """List dead letters: when each was written (UTC), its source, reason and first bytes."""
    table = table_of(dead_letters.letters(options.kafka(bootstrap, home), first=first, last=last))
    Console().print(table if table.row_count else "no dead letters")


def table_of(letters: Iterable[dead_letters.StoredLetter]) -> Table:
    """One row for each dead letter."""
    written, source = Column("written", min_width=10), Column("source", no_wrap=True)
    reason, begin = Column("reason", overflow="fold"), Column("begins with", overflow="fold")
    table = Table("offset", written, source, reason, "bytes", begin, "replayed", padding=(0, 0))
    for stored in letters:
        letter = stored.letter
        table.add_row(
            str(stored.offset),
            _written(stored)[:19].replace("T", " "),
            cell(f"{letter.topic}/{letter.partition}/{letter.offset}"),
            cell(letter.reason),
            str(letter.length),
            cell(letter.value[:40].decode(errors="replace").replace("\n", " ")),
            "yes" if stored.replayed else "",
        )
    return table


@app.command()
def show(
    offset: Annotated[int, typer.Argument(help="Offset within the dead-letter topic.")],
    bootstrap: Bootstrap = None,
    home: options.Home = None,
) -> None:
    """Show one dead letter whole: where it came from as JSON on the first line, then its original bytes."""
    stored = dead_letters.letter(options.kafka(bootstrap, home), offset)
    letter = stored.letter
    about = {
        "reason": letter.reason,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": letter.key.decode(errors="replace") if letter.key else None,
        "length": letter.length,
        "sha256": letter.sha256,
        "written": _written(stored),
        "replayed": stored.replayed,
    }
    sys.stdout.write(json.dumps(about, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    sys.stdout.buffer.write(letter.value + b"\n")


@app.command()
def replay(
    first: First = 0, last: Last = None, bootstrap: Bootstrap = None, home: options.Home = None
) -> None:
    """Send original bytes back to the topics they came from; a letter that was sent back before is not sent twice."""
    done = dead_letters.replay(options.kafka(bootstrap, home), first=first, last=last)
    Console().print(f"{done.sent} sent back, {done.already} were before, {done.unsendable} are not whole")


def _written(stored: dead_letters.StoredLetter) -> str:
    return iso(stored.at_ms * 1000)
