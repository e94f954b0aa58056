"""Short wordings out of clauses, as a searcher would type them."""

from __future__ import annotations

import re
from random import Random

from training.judging.words import EMPTY_WORDS
from training.rules.wordings import negates

LONGEST = 5
"""Words of an excerpt, at most."""
DROPPED = 0.5
"""Share of excerpts without their empty words."""
_WORD = re.compile(r"[A-Za-z][\w+#/'’-]*\+*|\d[\w.,/]*")


def excerpt(rng: Random, clause: str) -> str | None:
    """A run of one to LONGEST words, none of them empty at its ends; None where none is left or it negates.

    MiniLM's vectors hardly tell a statement from its negation, so that no negated wording may be graded by them.
    """
    words = [] if negates(clause) else _WORD.findall(clause)
    begins = [n for n, word in enumerate(words) if _says(word)]
    if not begins:
        return None
    begin = rng.choice(begins)
    run = words[begin : begin + rng.randint(1, LONGEST)]
    while run and not _says(run[-1]):
        run.pop()
    if rng.random() < DROPPED:
        run = [word for word in run if word.lower() not in EMPTY_WORDS]
    text = " ".join(run).strip(" -/'’.,")
    return text if len(text) > 2 else None


def plain_title(title: str) -> str:
    """A title without what stands in brackets, behind a dash or a bar, and without its band or reference number."""
    text = re.split(r"\s[-–—|/]\s|[(\[|:,]", title)[0]
    return re.sub(r"\b(?:band|grade)\s+\w+\b|\b\w*\d{3,}\w*\b", "", text, flags=re.IGNORECASE).strip(" -–,.")


def _says(word: str) -> bool:
    return len(word) > 2 and word.lower() not in EMPTY_WORDS and word[0].isalpha()
