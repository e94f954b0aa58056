"""What a baseline reads of a posting: the same words as the ranker, without its prompt."""

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
    """Unpaired surrogates replaced: no encoding has them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
