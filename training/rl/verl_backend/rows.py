"""Rows of verl's Parquet files, and the posting that a reward reads out of a row again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.prompts import Item
from training.components.arrays import Floats
from training.judging.postings import PostingRow
from training.rl.actor import Source
from training.rl.queries import Search


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardRow:
    """What a reward needs of a posting beside its summary; `raw_Q` are the ranker's logits on its raw text."""

    source: Source
    searches: tuple[Search, ...]
    raw_Q: Floats


def verl_row(prompt: str, row: RewardRow, index: int) -> dict[str, Any]:
    """A row as verl reads it. Texts that reward workers read are JSON, which no Parquet reader takes apart."""
    posting = row.source.posting
    return {
        "data_source": "nearline",
        "prompt": [{"role": "user", "content": prompt}],
        "ability": "summarization",
        "reward_model": {"style": "rule", "ground_truth": ""},
        "extra_info": {
            "index": index,
            "posting_id": posting.posting_id,
            "item": json.dumps(asdict(posting.item)),
            "text": row.source.text,
            "tokens": row.source.tokens,
            "searches": json.dumps([asdict(search) for search in row.searches]),
            "raw": row.raw_Q.tolist(),
        },
    }


def reward_row(extra_info: Mapping[str, Any]) -> RewardRow:
    """The posting of a row's `extra_info`."""
    posting = PostingRow(
        posting_id=str(extra_info["posting_id"]),
        item=Item(**json.loads(extra_info["item"])),
        posted_at=None,
        source=None,
    )
    searches: Sequence[Mapping[str, Any]] = json.loads(extra_info["searches"])
    return RewardRow(
        source=Source(posting=posting, text=str(extra_info["text"]), tokens=int(extra_info["tokens"])),
        searches=tuple(Search(**search) for search in searches),
        raw_Q=np.array(list(extra_info["raw"]), dtype=np.float64),
    )
