"""The protocol of whatever shortens postings: baselines without training, and trained summarizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from training.judging.postings import PostingRow


class Shortener(Protocol):
    """Shortens the texts of postings."""

    name: str
    """The row's name in a table."""

    def shorten_many(self, postings: Sequence[PostingRow], share: float) -> list[str]:
        """The short text of each posting, of about `share` of its text's tokens where the method can be asked."""
        ...

    def shorten_at(self, postings: Sequence[PostingRow], shares: Sequence[float]) -> list[list[str]]:
        """For each share what `shorten_many` gives; a method that need not read again overrides it."""
        return [self.shorten_many(postings, share) for share in shares]
