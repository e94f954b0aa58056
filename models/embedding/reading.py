"""Queries and postings as token ids, as the embedder reads them in training and in use."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

from models.prompts import MAX_QUERY_CHARS
from schemas.clean import clean

QUERY = "Search: "
"""Stands before a query, so that one model reads both kinds of text; a posting begins with "Title: "."""
CHARS_PER_TOKEN = 12
"""A longer text than so many characters for each token that is read is cut before it is tokenized."""


class Texts:
    """Makes ids of at most `tokens`, the end marker included; an empty text has none. Safe for several threads."""

    def __init__(self, tokenizer: Tokenizer, tokens: int, end: int) -> None:
        self._tokenizer, self._tokens, self._end = tokenizer, tokens, end

    def queries(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each query, [] where there is nothing in it."""
        cleaned = [clean(text, MAX_QUERY_CHARS) for text in texts]
        found = self._ids([QUERY + text for text in cleaned])
        return [ids if text else [] for ids, text in zip(found, cleaned, strict=True)]

    def postings(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each posting, [] where there is nothing in it."""
        found = self._ids([text[: CHARS_PER_TOKEN * self._tokens] for text in texts])
        return [ids if text.strip() else [] for ids, text in zip(found, texts, strict=True)]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [[*encoding.ids[: self._tokens - 1], self._end] for encoding in encodings]
