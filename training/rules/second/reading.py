"""What a posting says of each want, sentence by sentence, and which jobs its title names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from training.judging.postings import PostingRow
from training.rules.second.lexicon import Job, SecondLexicon, Want, plain

BEFORE, AFTER = 4, 5
"""Words before a keyword in which a negator stands, and words after it in which "not needed" stands."""
_ENDS = re.compile(r"[.!?;•\n\r|]+ | {3,}|[\n•]")
_NEGATOR = frozenset(
    [
        "no",
        "not",
        "without",
        "never",
        "nor",
        "neither",
        "cannot",
        "can't",
        "don't",
        "won't",
        "isn't",
        "aren't",
    ]
)
_NEEDLESS = re.compile(
    r"\bnot (?:be )?(?:required|needed|necessary|essential|available|offered|provided|possible)\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A posting as read: its jobs, the wants it grants, and those it refuses; a want may be in both."""

    jobs: frozenset[str]
    granted: frozenset[str]
    refused: frozenset[str]

    @property
    def mixed(self) -> frozenset[str]:
        """Wants of which one sentence says yes and another no."""
        return self.granted & self.refused


def read(posting: PostingRow, words: SecondLexicon) -> Reading:
    """Read one posting: title, text, employment type and workplace."""
    item = posting.item
    sentences = sentences_of(
        f"{item.title}\n{item.text}\n{item.employment_type or ''}\nworkplace {item.remote or ''}"
    )
    text = "\n".join(sentences)
    heard = {key: heard_in(want, text) for key, want in words.wants.items()}
    title = plain(item.title)
    return Reading(
        jobs=frozenset(key for key, job in words.jobs.items() if _names(job, title)),
        granted=frozenset(key for key, (yes, _) in heard.items() if yes),
        refused=frozenset(key for key, (_, no) in heard.items() if no),
    )


def sentences_of(text: str) -> list[str]:
    """The plain sentences of a text, without empty ones."""
    return [sentence for part in _ENDS.split(text) if (sentence := plain(part))]


def heard_in(want: Want, text: str) -> tuple[bool, bool]:
    """Whether a text of plain sentences, a line each, grants a want, and whether it refuses it."""
    granting = [match.span() for match in want.said.finditer(text)]
    refusing = [match.span() for match in want.contrary.finditer(text)]
    yes, no = False, any(not _inside(span, granting) and not _negated(text, *span) for span in refusing)
    for span in granting:
        if _inside(span, refusing):
            continue
        negated = _negated(text, *span)
        yes, no = yes or not negated, no or negated
    return yes, no


def _inside(span: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    """Whether a longer one of `others` holds the span, as "no nights" holds "nights"."""
    return any(start <= span[0] and span[1] <= end and (start, end) != span for start, end in others)


def _negated(text: str, start: int, end: int) -> bool:
    before = text[text.rfind("\n", 0, start) + 1 : start].split()[-BEFORE:]
    stop = text.find("\n", end)
    after = text[end : stop if stop >= 0 else len(text)].split()[:AFTER]
    return not _NEGATOR.isdisjoint(before) or bool(_NEEDLESS.search(" ".join(after)))


def _names(job: Job, title: str) -> bool:
    return bool(job.named.search(title)) and not job.barred.search(title)
