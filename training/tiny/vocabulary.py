"""The tiny models' tokenizer and first embeddings, made from a small public sentence encoder (MiniLM).

WordPiece, pruned: single characters, then the words of the project's own text, then the encoder's own order
(which is by frequency). A token's vector is the encoder's mean-pooled output on that token alone, centred
and reduced by SVD (under the default initialisation a small model hardly tells tokens apart).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoModel

Table = npt.NDArray[np.float32]

VOCAB_SIZE = 15_000
EMBEDDING_STD = 0.05
SURELY = 1_000_000
"""The count given to a word that the vocabulary must have."""
SPECIAL = ("[PAD]", "[UNK]", "[EOS]")
FIRST_WORD = 1996
"""First id of a whole word in the encoder's vocabulary; smaller ids are special, unused or characters."""
CHARACTERS = "–—’‘“”•£€·…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """A tokenizer, and for each of its tokens the sentence encoder's ids that spell it."""

    tokenizer: Tokenizer
    spelled: list[tuple[int, ...]]


def build(texts: Iterable[str], whole: Iterable[str], encoder: Path, size: int = VOCAB_SIZE) -> Vocabulary:
    """A vocabulary for `texts` small enough to be covered whole; each word of `whole` becomes one token."""
    full = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    full.no_truncation()
    full.no_padding()
    known = full.get_vocab()
    unknown = {"[PAD]": (known["[PAD]"],), "[UNK]": (known["[UNK]"],), "[EOS]": (known["[SEP]"],)}
    words = [word for word in dict.fromkeys(w.lower() for w in whole) if word.isalpha() and word.isascii()]
    spelled = {word: tuple(full.encode(word, add_special_tokens=False).ids) for word in words}
    kept: dict[str, tuple[int, ...]] = dict(unknown)
    for token in (*_characters(known), *_own(full, texts)):
        kept.setdefault(token, (known[token],))
    kept |= {word: ids for word, ids in spelled.items() if word not in kept}
    for token in _frequent(known):
        if len(kept) >= size:
            break
        kept.setdefault(token, (known[token],))
    return Vocabulary(tokenizer=tokenizer(list(kept)), spelled=list(kept.values()))


def from_counts(
    texts: Iterable[str], needed: Iterable[str], encoder: Path, size: int = VOCAB_SIZE
) -> Vocabulary:
    """A vocabulary for more text than it can cover: the commonest words and pieces, and all words of `needed`.

    A word that the encoder spells in pieces becomes one token if it is commoner than the rarest piece kept.
    """
    full = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    full.no_truncation()
    full.no_padding()
    known = full.get_vocab()
    words = Counter(word for text in texts for word in _words(text))
    words.update({word: SURELY for text in needed for word in _words(text)})
    spelled: dict[str, tuple[int, ...]] = {
        word: tuple(encoding.ids)
        for word, encoding in zip(
            words, full.encode_batch(list(words), add_special_tokens=False), strict=True
        )
    }
    pieces: Counter[str] = Counter()
    names = {index: token for token, index in known.items()}
    for word, count in words.items():
        if len(spelled[word]) > 1:
            pieces.update({names[index]: count for index in spelled[word]})
    kept: dict[str, tuple[int, ...]] = {
        "[PAD]": (known["[PAD]"],),
        "[UNK]": (known["[UNK]"],),
        "[EOS]": (known["[SEP]"],),
    }
    kept |= {token: (known[token],) for token in _characters(known)}
    whole = {word: count for word, count in words.items() if word.isascii() and word.isalpha()}
    ranked = Counter({token: count for token, count in pieces.items() if token in known}) | Counter(whole)
    for token, _ in ranked.most_common():
        if len(kept) >= size:
            break
        kept.setdefault(token, spelled.get(token) or (known[token],))
    return Vocabulary(tokenizer=tokenizer(list(kept)), spelled=list(kept.values()))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+|[^\sa-z]", text.lower())


def tokenizer(tokens: list[str]) -> Tokenizer:
    """An uncased WordPiece tokenizer over these tokens; the first three are SPECIAL."""
    made = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token=SPECIAL[1]))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(prefix="##", cleanup=True)
    made.add_special_tokens(list(SPECIAL))
    return made


def embeddings(encoder: Path, spelled: Sequence[tuple[int, ...]], width: int) -> Table:
    """Vectors [V, width] of tokens given by encoder ids: the encoder's mean-pooled outputs, centred and reduced."""
    return reduce(outputs(encoder, spelled), width)


def spelled(encoder: Path, tokens: Sequence[str]) -> list[tuple[int, ...]]:
    """The encoder's ids that spell each token of a vocabulary that was made from it."""
    full = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    full.no_truncation()
    full.no_padding()
    known = full.get_vocab()
    known["[EOS]"] = known["[SEP]"]
    return [
        (known[token],) if token in known else tuple(full.encode(token, add_special_tokens=False).ids)
        for token in tokens
    ]


def outputs(encoder: Path, spelled: Sequence[tuple[int, ...]]) -> Table:
    """The encoder's mean-pooled outputs [V, its width] on each token alone."""
    model = AutoModel.from_pretrained(encoder).eval()
    known = json.loads((encoder / "tokenizer.json").read_text())["model"]["vocab"]
    start, end = known["[CLS]"], known["[SEP]"]
    rows = np.zeros((len(spelled), model.config.hidden_size), dtype=np.float32)
    by_length: dict[int, list[int]] = {}
    for row, ids in enumerate(spelled):
        by_length.setdefault(len(ids), []).append(row)
    with torch.inference_mode():
        for same in by_length.values():
            for chunk in (same[i : i + 1024] for i in range(0, len(same), 1024)):
                batch = torch.tensor([[start, *spelled[row], end] for row in chunk])
                rows[chunk] = model(input_ids=batch).last_hidden_state.mean(1).numpy()
    return rows


def reduce(vectors: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    """Vectors centred, projected on their `width` strongest directions, and scaled to one length."""
    centred = vectors - vectors.mean(0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    reduced = centred @ directions[:width].T
    reduced /= np.linalg.norm(reduced, axis=1, keepdims=True) + 1e-6
    scaled: npt.NDArray[np.float32] = (reduced * EMBEDDING_STD * width**0.5).astype(np.float32)
    return scaled


def _characters(known: dict[str, int]) -> Iterable[str]:
    plain = [chr(code) for code in range(33, 127)] + list(CHARACTERS)
    return [token for c in plain for token in (c, f"##{c}") if token in known]


def _own(full: Tokenizer, texts: Iterable[str]) -> list[str]:
    counts = Counter(t for e in full.encode_batch(list(texts), add_special_tokens=False) for t in e.tokens)
    return [
        token
        for token, _ in counts.most_common()
        if token not in {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"}
    ]


def _frequent(known: dict[str, int]) -> list[str]:
    ordered = sorted(known.items(), key=lambda item: item[1])
    return [token for token, index in ordered if index >= FIRST_WORD and token.isascii()]
