"""A bi-encoder of published weights: MiniLM (all-MiniLM-L6-v2, Apache-2.0), cosine of query and posting."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from transformers import AutoModel
from transformers.utils.logging import disable_progress_bar
from typing_extensions import override

from models.length_batches import length_batches
from models.prompts import Item
from models.writing import replacing_file
from schemas.clean import clean
from training.components.arrays import Floats
from training.evaluation.baselines.minilm import encoder_dir
from training.evaluation.baselines.texts import full_text
from training.evaluation.settings import Tell
from training.evaluation.systems import System
from training.judging.records import JudgedQuery

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class BiEncoderConfig:
    """`max_tokens`: where texts are cut, as in the encoder's training; `batch_tokens`: bound of a padded batch."""

    max_tokens: int = 256
    batch_tokens: int = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class BiEncoder(System):
    """Cosine of MiniLM's vectors; `cache` is a folder in which vectors are kept from one run to the next."""

    cache: Path | None = None
    config: BiEncoderConfig = BiEncoderConfig()

    name = "minilm"

    @property
    @override
    def settings(self) -> dict[str, Any]:
        """Names encoder, text limit and similarity; `cache` and `batch_tokens` are left out."""
        return {
            "encoder": "all-MiniLM-L6-v2",
            "max_tokens": self.config.max_tokens,
            "reads": "title, metadata and description",
            "similarity": "cosine of mean-pooled vectors",
        }

    @override
    def score_many(
        self, queries: Sequence[JudgedQuery], items: Mapping[str, Item], tell: Tell
    ) -> list[Floats]:
        """Encode each distinct text that the cache lacks once; scores are dot products of vectors of length 1."""
        wanted = list(dict.fromkeys(posting for query in queries for posting in query.posting_ids))
        texts = [clean(query.query) for query in queries] + [full_text(items[posting]) for posting in wanted]
        pairs = sum(len(query.posting_ids) for query in queries)
        vectors = self.vectors(texts, _scaled(tell, pairs / len(texts)))
        asked, found = vectors[: len(queries)], vectors[len(queries) :]
        row_of = {posting: row for row, posting in enumerate(wanted)}
        return [
            (found[[row_of[posting] for posting in query.posting_ids]] @ asked[row]).astype(np.float64)
            for row, query in enumerate(queries)
        ]

    def vectors(self, texts: Sequence[str], tell: Tell = lambda _: None) -> Vectors:
        """Vectors [texts, 384] of length 1; those that the cache lacks are computed and kept there."""
        kept = _Kept(self.cache, self.config)
        new = [text for text in dict.fromkeys(texts) if text not in kept]
        tell(len(texts) - len(new))
        if new:
            kept.add(new, SentenceEncoder(self.config).encode(new, tell))
        return np.stack([kept[text] for text in texts])


class SentenceEncoder:
    """MiniLM with mean pooling: texts to vectors of length 1."""

    def __init__(self, config: BiEncoderConfig) -> None:
        directory = encoder_dir()
        disable_progress_bar()
        self._model = AutoModel.from_pretrained(directory).eval()
        self._tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self._tokenizer.enable_truncation(config.max_tokens)
        self._tokenizer.no_padding()
        self._batch_tokens = config.batch_tokens

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], tell: Tell = lambda _: None) -> Vectors:
        """Vectors [texts, 384] of length 1, in batches of like length."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        vectors = np.zeros((len(texts), self._model.config.hidden_size), dtype=np.float32)
        for rows in length_batches([len(row) for row in ids], self._batch_tokens):
            vectors[rows] = self._batch([ids[row] for row in rows])
            tell(len(rows))
        return vectors

    def _batch(self, ids: Sequence[list[int]]) -> Vectors:
        """Vectors of texts given as ids, the longest last."""
        width = len(ids[-1])
        padded = torch.tensor([row + [0] * (width - len(row)) for row in ids])
        real = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        hidden_BTD = self._model(input_ids=padded, attention_mask=real).last_hidden_state
        pooled_BD = (hidden_BTD * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        vectors: Vectors = torch.nn.functional.normalize(pooled_BD, dim=-1).numpy()
        return vectors


def _scaled(tell: Tell, share: float) -> Tell:
    """A `Tell` that is told texts and passes on pairs, of which there are `share` for each text."""
    done = 0

    def scaled(texts: int) -> None:
        nonlocal done
        done += texts
        tell(round(done * share) - round((done - texts) * share))

    return scaled


class _Kept:
    """Vectors by a hash of text and settings, kept in memory and, if a folder is given, in one file there."""

    def __init__(self, folder: Path | None, config: BiEncoderConfig) -> None:
        self._salt = f"all-MiniLM-L6-v2/{config.max_tokens}/"
        self._file = folder / "minilm.npz" if folder else None
        self._vectors: dict[str, Vectors] = {}
        if self._file and self._file.is_file():
            with np.load(self._file) as stored:
                self._vectors = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def __contains__(self, text: str) -> bool:
        return self._key(text) in self._vectors

    def __getitem__(self, text: str) -> Vectors:
        return self._vectors[self._key(text)]

    def add(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Keep the vectors of new texts and replace the file."""
        self._vectors |= {self._key(text): vector for text, vector in zip(texts, vectors, strict=True)}
        if self._file is None:
            return
        keys, values = np.array(list(self._vectors)), np.stack(list(self._vectors.values()))
        with replacing_file(self._file, concurrent=True) as partial, partial.open("wb") as file:
            np.savez(file, keys=keys, vectors=values)

    def _key(self, text: str) -> str:
        return hashlib.sha256((self._salt + text).encode()).hexdigest()
