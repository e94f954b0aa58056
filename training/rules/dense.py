"""Nearest neighbours by a small public sentence encoder (MiniLM), over titles and the first words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from transformers import AutoModel

from training.judged import PostingRow
from training.vocabulary import encoder_dir

Floats = npt.NDArray[np.float32]
FIRST_WORDS = 60
MAX_TOKENS = 96
_BATCH = 64


def dense_over(postings: Sequence[PostingRow]) -> Callable[[str], Floats]:
    """A function from a query to the [N] cosines of all postings."""
    embed = _embedder()
    texts = [f"{p.item.title} {' '.join(p.item.text.split()[:FIRST_WORDS])}" for p in postings]
    items_ND = embed(texts)
    return partial(_cosines, embed, items_ND)


def _cosines(embed: Callable[[Sequence[str]], Floats], items_ND: Floats, query: str) -> Floats:
    scores: Floats = items_ND @ embed([query])[0]
    return scores


def _embedder() -> Callable[[Sequence[str]], Floats]:
    folder = encoder_dir()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    model = AutoModel.from_pretrained(folder).eval()

    def embed(texts: Sequence[str]) -> Floats:
        """[N, D] of unit length; texts of like length go together."""
        ids = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
        out = np.zeros((len(ids), model.config.hidden_size), dtype=np.float32)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        with torch.inference_mode():
            for rows in (order[i : i + _BATCH] for i in range(0, len(order), _BATCH)):
                width = max(len(ids[row]) for row in rows)
                ids_BT = torch.tensor([ids[row] + [0] * (width - len(ids[row])) for row in rows])
                mask_BT = torch.tensor([[1] * len(ids[row]) + [0] * (width - len(ids[row])) for row in rows])
                hidden_BTD = model(input_ids=ids_BT, attention_mask=mask_BT).last_hidden_state
                mean_BD = (hidden_BTD * mask_BT[..., None]).sum(1) / mask_BT.sum(1, keepdim=True)
                out[rows] = torch.nn.functional.normalize(mean_BD, dim=-1).numpy()
        return out

    return embed
