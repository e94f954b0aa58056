"""Real postings as training reads them: token ids, and where in the text the rule lexicon's facets are stated."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from tokenizers import Tokenizer

from models.prompts import Item
from training.tiny.encoding import Encoder
from training.tiny.ranker.real_pool import Mention, Source

LONGEST = 900
"""Tokens of a text that training ever reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the rules found in one posting: spans of characters of `item.text` by tag, and tags of title and metadata."""

    spans: tuple[tuple[int, int, str], ...]
    known: frozenset[str]
    occupation: str
    place: str | None


def sources(
    encoder: Encoder, tokenizer: Tokenizer, items: Sequence[Item], found: Iterable[Evidence]
) -> list[Source]:
    """One source a posting; its ids are those of the prompt, the marker before the text apart."""
    heads = encoder.prompter.item_ids_many([replace(item, text="") for item in items])
    texts = tokenizer.encode_batch([" " + item.text for item in items], add_special_tokens=False)
    return [
        Source(
            head=head[: -len(encoder.suffix)],
            ids=np.array(text.ids[:LONGEST], dtype=np.int32),
            mentions=_mentions(text.offsets[:LONGEST], one.spans),
            known=one.known,
            occupation=one.occupation,
            place=one.place,
        )
        for head, text, one in zip(heads, texts, found, strict=True)
    ]


def _mentions(
    offsets: Sequence[tuple[int, int]], spans: Iterable[tuple[int, int, str]]
) -> tuple[Mention, ...]:
    """Spans of characters as spans of tokens; those behind the last token are left out."""
    begins, ends = [o[0] for o in offsets], [o[1] for o in offsets]
    found = []
    for start, stop, tag in spans:
        # the text was encoded behind one blank
        first, last = bisect_right(ends, start + 1), bisect_left(begins, stop + 1)
        if first < last <= len(offsets) and last < len(offsets):
            found.append(Mention(begin=first, end=last, tag=tag))
    return tuple(sorted(found, key=lambda mention: mention.end))
