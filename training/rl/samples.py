"""samples.md: summaries of dev postings at the start and now, beside the beginning of their texts."""

from __future__ import annotations

from collections.abc import Sequence

from training.rl.actor import Source
from training.rl.measuring import DevFigures

SHOWN = 30
"""Postings in the page."""
EXCERPT_CHARS = 500


def page(sources: Sequence[Source], before: DevFigures, now: DevFigures, step: int) -> str:
    """The page as Markdown: a table of figures, then each posting with both summaries."""
    rows = "\n".join(
        f"| {name} | {figures.kl:.4f} | {figures.share:.1%} | "
        + ", ".join(f"{guard} {part:.1%}" for guard, part in figures.guards.items())
        + " |"
        for name, figures in (("start", before), (f"step {step}", now))
    )
    head = (
        f"# Summaries before and after {step} steps\n\nPostings of the split dev, summarized as in use.\n\n"
    )
    table = "| | KL to raw text | tokens kept | guards |\n|---|---|---|---|\n" + rows + "\n"
    parts = [
        f"\n## {_plain(source.posting.item.title)}\n\n"
        f"{source.tokens} tokens: {_plain(source.text[:EXCERPT_CHARS])}{'…' if len(source.text) > EXCERPT_CHARS else ''}\n\n"
        f"- start: {_plain(old)}\n- step {step}: {_plain(new)}\n"
        for source, old, new in list(zip(sources, before.texts, now.texts, strict=True))[:SHOWN]
    ]
    return head + table + "".join(parts)


def _plain(text: str) -> str:
    """A posting's words on one line, so that no line of theirs is read as Markdown."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "\\|") or "(empty)"
