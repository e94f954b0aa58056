"""Stop words, a list for each purpose; `pipeline.terms.STOP_WORDS`, which decides matching, is a third and not read here.

The lists stay apart because each is part of a result that is compared from commit to commit: `EMPTY_WORDS` of the shipped
tokenizers and first weights, `SEARCH_FILLER` of the pools that a seed draws. `SEARCH_FILLER` holds only words that
matching leaves out too (tested).
"""

from __future__ import annotations

import re

EMPTY_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "of",
        "to",
        "in",
        "for",
        "on",
        "at",
        "by",
        "with",
        "from",
        "is",
        "are",
        "be",
        "was",
        "were",
        "as",
        "it",
        "its",
        "this",
        "that",
        "these",
        "those",
        "you",
        "your",
        "we",
        "our",
        "us",
        "i",
        "me",
        "my",
        "they",
        "them",
        "their",
        "he",
        "she",
        "his",
        "her",
        "will",
        "would",
        "can",
        "could",
        "should",
        "may",
        "might",
        "must",
        "have",
        "has",
        "had",
        "do",
        "does",
        "did",
        "not",
        "no",
        "if",
        "then",
        "than",
        "so",
        "such",
        "but",
        "also",
        "all",
        "any",
        "each",
        "every",
        "other",
        "more",
        "most",
        "some",
        "into",
        "over",
        "out",
        "up",
        "down",
        "about",
        "who",
        "what",
        "which",
        "when",
        "where",
        "how",
        "there",
        "here",
        "been",
        "being",
        "both",
        "etc",
        "per",
        "via",
        "within",
    ]
)
"""English words that carry structure, not subject matter: never a word that a query is made of or a summary keeps."""

SEARCH_FILLER = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "of",
        "to",
        "in",
        "for",
        "on",
        "at",
        "by",
        "with",
        "from",
        "as",
        "i",
        "my",
        "is",
        "are",
        "any",
        "want",
        "work",
        "looking",
        "job",
        "jobs",
    ]
)
"""Words that say nothing about which job is searched for: pools of candidates are drawn without them."""

_WORD = re.compile(r"[a-z0-9+#.]*[a-z0-9+#]")


def search_words(text: str) -> list[str]:
    """The lower-case words of a text without `SEARCH_FILLER`; `c++`, `c#` and `node.js` are words."""
    return [word for word in _WORD.findall(text.lower()) if word not in SEARCH_FILLER]
