"""`nearline dlq list | show | replay`."""

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from nearline.cli import options
from streaming.kafka.settings import KafkaSettings
from streaming.tools import dead_letters

app = typer.Typer(
    no_args_is_help=True, help="Messages that could not be processed: look at them, send them back."
)

Bootstrap = Annotated[str | None, typer.Option(help="Kafka's address; default: the local stack's broker.")]
First = Annotated[int, typer.Option("--from", help="First offset within the dead-letter topic.")]
Last = Annotated[int | None, typer.Option("--to", help="Last offset, included; default: the newest.")]


@app.command("list")
def list_letters(
    first: First = 0, last: Last = None, bootstrap: Bootstrap = None, home: options.Home = None
) -> None:
    """List dead letters: reason, source and the first bytes."""
    table = Table("offset", "source", "reason", "bytes", "begins with", "replayed")
    for stored in dead_letters.letters(_kafka(bootstrap, home), first=first, last=last):
        letter = stored.letter
        begin = letter.value[:40].decode(errors="replace").replace("\n", " ")
        source = f"{letter.topic}/{letter.partition}/{letter.offset}"
        table.add_row(
            str(stored.offset),
            source,
            letter.reason,
            str(letter.length),
            begin,
            "yes" if stored.replayed else "",
        )
    Console().print(table if table.row_count else "no dead letters")


@app.command()
def show(
    offset: Annotated[int, typer.Argument(help="Offset within the dead-letter topic.")],
    bootstrap: Bootstrap = None,
    home: options.Home = None,
) -> None:
    """Show one dead letter whole: where it came from as JSON on the first line, then its original bytes."""
    stored = dead_letters.letter(_kafka(bootstrap, home), offset)
    letter = stored.letter
    about = {
        "reason": letter.reason,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": letter.key.decode(errors="replace") if letter.key else None,
        "length": letter.length,
        "sha256": letter.sha256,
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
    done = dead_letters.replay(_kafka(bootstrap, home), first=first, last=last)
    Console().print(f"{done.sent} sent back, {done.already} were before, {done.unsendable} are not whole")


def _kafka(bootstrap: str | None, home: options.Home) -> KafkaSettings:
    return KafkaSettings(bootstrap=bootstrap or options.running_stack(home).bootstrap)
