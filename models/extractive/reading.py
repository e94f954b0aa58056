"""A posting as the extractive model reads it: token ids, and which of them each phrase has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from models.extractive.phrase import Phrase
from models.extractive.phrases import phrases
from models.extractive.selection import words_of
from models.prompts import SUMMARIZER_PROMPT, SUMMARIZER_SUFFIX
from models.unknown import UnknownTokens

BODY = "\nText: "
CHARS_PER_TOKEN = 12
"""A longer input than so many characters for each token of the context is cut before it is tokenized."""
MOST_OF_CONTEXT = 0.5
"""Share of the context that a title may take."""
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """The tokens of one posting, title first, and the phrases of its text that lie within them."""

    text: str
    """The posting's text, in which the phrases are spans."""
    ids: list[int]
    """At most the model's context."""
    title_tokens: int
    """How many of `ids` come before the text."""
    phrases: tuple[Phrase, ...]
    starts: Ints
    """[phrases] index in `ids` of each phrase's first token."""
    ends: Ints
    """[phrases] one past that of its last token."""
    unknown: float
    """Share of the text's tokens that are parts of words or unknown: high in languages that the model does not know."""

    @property
    def tokens(self) -> int:
        """Length of the text that was read, in tokens."""
        return len(self.ids) - self.title_tokens

    @property
    def counts(self) -> tuple[int, ...]:
        """Length of each phrase in tokens."""
        return tuple((self.ends - self.starts).tolist())


class Reader:
    """Makes readings with one tokenizer for one length of context; safe for several threads."""

    def __init__(self, tokenizer: Tokenizer, context: int) -> None:
        self._tokenizer, self._context = tokenizer, context
        self._unknown = UnknownTokens(tokenizer)

    def read_many(self, inputs: Sequence[str]) -> list[Reading]:
        """Read each `summarizer_input`, or each whole summarizer prompt; text beyond the context is not read."""
        cut = [_posting(text)[: CHARS_PER_TOKEN * self._context] for text in inputs]
        encodings = self._tokenizer.encode_batch(cut, add_special_tokens=False)
        return [self._reading(text, encoding) for text, encoding in zip(cut, encodings, strict=True)]

    def _reading(self, given: str, encoding: Encoding) -> Reading:
        title, mark, text = given.partition(BODY)
        begin = len(title) + len(mark)
        if not mark:
            begin, text = 0, given
        offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
        title_tokens = int(np.searchsorted(offsets[:, 0], begin))
        ids, spare = encoding.ids, title_tokens - int(MOST_OF_CONTEXT * self._context)
        if spare > 0:
            ids, offsets, title_tokens = ids[spare:], offsets[spare:], title_tokens - spare
        ids, offsets = ids[: self._context], offsets[: self._context]
        kept, starts, ends = _spans(_candidates(text), offsets, begin)
        return Reading(
            text=text,
            ids=ids,
            title_tokens=title_tokens,
            phrases=kept,
            starts=starts,
            ends=ends,
            unknown=self._unknown.share(ids[title_tokens:]),
        )


def _posting(prompt: str) -> str:
    """Return a prompt without the words that ask for a summary, which stand around the posting."""
    return prompt.removeprefix(SUMMARIZER_PROMPT).removesuffix(SUMMARIZER_SUFFIX)


def _candidates(text: str) -> list[Phrase]:
    """Return the phrases that may be chosen: each only once, where it stands first."""
    found: dict[frozenset[str], Phrase] = {}
    for phrase in phrases(text):
        found.setdefault(words_of(phrase.of(text)), phrase)
    return list(found.values())


def _spans(candidates: Sequence[Phrase], offsets: Ints, begin: int) -> tuple[tuple[Phrase, ...], Ints, Ints]:
    """Return the phrases that were read whole, with their first tokens and those after their last."""
    bounds = np.array([(p.start, p.end) for p in candidates], np.int64).reshape(-1, 2) + begin
    starts = np.searchsorted(offsets[:, 1], bounds[:, 0], side="right")
    ends = np.searchsorted(offsets[:, 0], bounds[:, 1], side="left")
    whole = (ends > starts) & (bounds[:, 1] <= (offsets[-1, 1] if len(offsets) else 0))
    return tuple(p for p, kept in zip(candidates, whole, strict=True) if kept), starts[whole], ends[whole]
