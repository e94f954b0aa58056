"""The texts of postings for baselines: the same fields as in the ranker's prompt, as plain text."""

from __future__ import annotations

from models.prompts import Item
from schemas.clean import clean


def title_text(item: Item) -> str:
    """Title and metadata, a line each."""
    fields = (item.title, item.company, item.location, item.employment_type, item.remote)
    return "\n".join(clean(field) for field in fields if field)


def full_text(item: Item) -> str:
    """Title, metadata and description."""
    return f"{title_text(item)}\n{clean(item.text)}"
