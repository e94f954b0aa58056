"""The texts of postings for baselines: the same fields as in the ranker's prompt, as plain text."""

from __future__ import annotations

from models.prompts import Item


def title_text(item: Item) -> str:
    """Title and metadata, a line each."""
    fields = (item.title, item.company, item.location, item.employment_type, item.remote)
    return sound("\n".join(field for field in fields if field))


def full_text(item: Item) -> str:
    """Title, metadata and description."""
    return f"{title_text(item)}\n{sound(item.text)}"


def sound(text: str) -> str:
    """The text with unpaired surrogates replaced, which no encoding can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
