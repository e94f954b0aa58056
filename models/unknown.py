"""How strange a text is to a tokenizer: the share of its tokens that are unknown or only parts of words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer


class UnknownTokens:
    """Knows which ids of a WordPiece tokenizer stand for no word or a part of one; of any other tokenizer none does."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        pieces = np.zeros(max(vocabulary.values(), default=0) + 1, bool)
        pieces[[at for piece, at in vocabulary.items() if piece.startswith(("##", "[UNK]"))]] = True
        self._pieces = pieces

    def share(self, ids: Sequence[int]) -> float:
        """The share among token ids, 0 for none."""
        return float(self._pieces[np.array(ids)].mean()) if len(ids) else 0.0

    def share_of(self, text: str) -> float:
        """The share among a text's tokens."""
        return self.share(self._tokenizer.encode(text, add_special_tokens=False).ids)
