"""Real postings as token ids, with the places in the text where the rules' facets are stated or denied."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tokenizers import Tokenizer

from models.prompts import Item
from training.components.arrays import Ints
from training.tiny.encoding import Encoder
from training.tiny.ranker.clauses import clauses
from training.tiny.ranker.real_pool import MarkedPosting, Mention

LONGEST = 900
"""Tokens of a text that are kept; no window reaches further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedSpans:
    """What the rules found in one posting: tagged spans of characters of `item.text`, and tags of its other fields."""

    spans: tuple[tuple[int, int, str], ...]
    known: frozenset[str]
    occupation: str
    place: str | None


def marked_postings(
    encoder: Encoder, tokenizer: Tokenizer, items: Sequence[Item], found: Iterable[StatedSpans]
) -> list[MarkedPosting]:
    """Encode postings: `head` is the prompt before the marker "Text:", `ids` the text's tokens after it."""
    heads = encoder.prompter.item_ids_many([replace(item, text="") for item in items])
    texts = tokenizer.encode_batch([" " + item.text for item in items], add_special_tokens=False)
    return [
        MarkedPosting(
            head=head[: -len(encoder.suffix)],
            ids=np.array(text.ids[:LONGEST], dtype=np.int32),
            mentions=_mentions(text.offsets[:LONGEST], one.spans),
            known=one.known,
            occupation=one.occupation,
            place=one.place,
            title=item.title,
            text=item.text,
            clauses=_clauses(text.offsets[:LONGEST], item.text),
        )
        for item, head, text, one in zip(items, heads, texts, found, strict=True)
    ]


def _clauses(offsets: Sequence[tuple[int, int]], text: str) -> Ints:
    """[clauses, 4]: tokens and characters [begin, end) of the clauses that end before the last token."""
    begins, ends = [o[0] for o in offsets], [o[1] for o in offsets]
    rows = []
    for start, stop in clauses(text):
        # the text was encoded behind one blank
        first, last = bisect_right(ends, start + 1), bisect_left(begins, stop + 1)
        if first < last and (last < len(offsets) or len(offsets) < LONGEST):
            rows.append((first, last, start, stop))
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _mentions(
    offsets: Sequence[tuple[int, int]], spans: Iterable[tuple[int, int, str]]
) -> tuple[Mention, ...]:
    """Spans of characters turned into spans of tokens; spans beyond the last token are left out."""
    begins, ends = [o[0] for o in offsets], [o[1] for o in offsets]
    found = []
    for start, stop, tag in spans:
        # the text was encoded behind one blank
        first, last = bisect_right(ends, start + 1), bisect_left(begins, stop + 1)
        if first < last <= len(offsets) and last < len(offsets):
            found.append(Mention(begin=first, end=last, tag=tag))
    return tuple(sorted(found, key=lambda mention: mention.end))
