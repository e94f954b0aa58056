"""`nearline summarize FILE`: postings before and after a summarizer, with what an extractive one keeps marked."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from models.card import is_extractive
from models.prompts import Prompter, summarizer_input
from models.summarizer import first_words
from nearline.cli import options
from nearline.shown import cell, marked, visible
from schemas.clean import clean
from schemas.errors import ConfigError, EventError
from schemas.events import BrokenLine, numbered_events
from schemas.lines import unpacked
from schemas.records import Posting

INSTANT = "instant"
GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """A posting's text and its summary; `kept` are the spans of the text that the summary consists of, if it does.

    Lengths are in the model's tokens, in words where there is no model.
    """

    text: str
    summary: str
    text_tokens: int
    summary_tokens: int
    kept: tuple[tuple[int, int], ...] = ()
    unit: str = "tokens"


Shorten = Callable[[Posting], Shortened]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(summarize)


def summarize(
    file: Annotated[
        str, typer.Argument(help="Postings or events, JSON Lines, plain or .gz; or plain text; - for stdin.")
    ],
    with_: Annotated[
        str, typer.Option("--with", help="Checkpoint directory, or `instant` (the first words).")
    ] = str(options.CHECKPOINTS / "summarizer-tiny"),
    share: Annotated[
        float | None, typer.Option(help="Share of the tokens to keep; default: the checkpoint's.")
    ] = None,
    title: Annotated[str, typer.Option(help="Title of a plain text.")] = "",
    most: Annotated[int, typer.Option(help="Postings to show.", min=1)] = 5,
) -> None:
    """Show postings before and after a summarizer, how many tokens each has, and what an extractive one keeps."""
    if share is not None and not 0 < share <= 1:
        raise ConfigError(f"--share {share}: give more than 0 and at most 1")
    postings = islice(read(file, title), most)
    shorten, console = open_shorten(with_, share), Console(emoji=False)
    for posting in postings:
        show(posting, shorten(posting), console)


def read(file: str, title: str = "") -> Iterator[Posting]:
    """Yield a file's postings; what is no JSON Lines is one posting's description. FileNotFoundError, EventError."""
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    if content.startswith(GZIP):
        content = unpacked(io.BytesIO(content)).read()
    if not content.lstrip().startswith(b"{"):
        yield Posting(title=title, description=content.decode("utf-8", "replace"))
        return
    for number, event in numbered_events(io.BytesIO(content)):
        if isinstance(event, BrokenLine):
            raise EventError(f"{file}, line {number}: {event.reason}")
        if event.posting is not None:
            yield event.posting


def open_shorten(name: str, share: float | None = None) -> Shorten:
    """Return what shortens; ConfigError for a name that stands for nothing, or a share that nothing would heed."""
    if name == INSTANT:
        return _instant
    directory = Path(name)
    if not directory.is_dir():
        raise ConfigError(f"--with {name!r}: give a checkpoint directory, or `{INSTANT}`")
    if is_extractive(directory):
        return _extractive(directory, share)
    if share is not None:
        raise ConfigError(f"--share: {directory} writes freely; only an extractive summarizer keeps a share")
    return _generative(directory)


def show(posting: Posting, made: Shortened, console: Console) -> None:
    """Print one posting: its title and lengths, the text with what was kept marked, the summary."""
    less = 1 - made.summary_tokens / made.text_tokens if made.text_tokens else 0.0
    console.print(Text(visible(posting.title or "(no title)"), style="bold"), soft_wrap=True)
    lengths = f"{made.text_tokens} {made.unit} before, {made.summary_tokens} after: {less:.1%} taken away"
    console.print(lengths, style="dim", highlight=False)
    console.print(marked(made.text, made.kept, bracketed=not console.is_terminal), soft_wrap=True)
    console.print(Text.assemble(("→ ", "bold"), cell(made.summary)), soft_wrap=True)
    console.print()


def _instant(posting: Posting) -> Shortened:
    given = summarizer_input(posting.title, posting.description)
    text, summary = clean(posting.description), first_words(given)
    lengths = len(text.split()), len(summary.split())
    return Shortened(
        text=text, summary=summary, text_tokens=lengths[0], summary_tokens=lengths[1], unit="words"
    )


def _extractive(directory: Path, share: float | None) -> Shorten:
    from models.engine.checkpoint_engine import EngineConfig
    from models.extractive.engine import ExtractiveEngine

    engine = ExtractiveEngine(directory, EngineConfig(role="summarizer", device="cpu"))

    def shorten(posting: Posting) -> Shortened:
        given = summarizer_input(posting.title, posting.description)
        ((reading, made, chosen),) = engine.summaries([given], share=share)
        return Shortened(
            text=reading.text,
            summary=made.text,
            text_tokens=reading.tokens,
            summary_tokens=made.tokens,
            kept=tuple((reading.phrases[at].start, reading.phrases[at].end) for at in chosen),
        )

    return shorten


def _generative(directory: Path) -> Shorten:
    from models.engine.base import GenerateJob
    from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig

    engine = CheckpointEngine(directory, EngineConfig(role="summarizer", device="cpu"))
    prompter = Prompter.from_dir(directory)

    def shorten(posting: Posting) -> Shortened:
        given = summarizer_input(posting.title, posting.description)
        (prompt,) = prompter.summarizer_ids_many([given])
        most = prompter.summary_budget(prompt)
        job = GenerateJob(prompt=prompt, max_tokens=most, temperature=0.0, frequency_penalty=1.0, stop=())
        (made,) = engine.generate_many([job])
        return Shortened(
            text=clean(posting.description),
            summary=made.text,
            text_tokens=len(prompt) - prompter.summarizer_fixed_tokens,
            summary_tokens=made.tokens,
        )

    return shorten
