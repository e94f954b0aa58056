"""What queries the rules draw: of which domain, by which rule set, with or without what is held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Domain = Literal["health", "technology", "general"]
RuleSet = Literal["first", "second"]
Asked = Literal["any", "trained", "held-out"]
"""What test queries may ask for: any entry of the lexicon, none that is held out, or at least one that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How queries are drawn and pooled; without `domain` the titles tell it."""

    dense: bool = False
    """Pools of dev and test also hold MiniLM's nearest postings."""
    domain: Domain | None = None
    rules: RuleSet = "first"
    asked: Asked = "any"
    matched_by: Path | None = None
    """A summarizer's directory: pools hold what the matcher finds by its summaries."""
