"""Near-duplicate postings, by MinHash over word shingles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from zlib import crc32

from training.judging.postings import PostingRow

THRESHOLD = 0.7
"""Two texts are near-duplicates from this estimated Jaccard similarity of their shingles on."""
SHINGLE_WORDS = 3
MOST_WORDS = 250
"""Texts are compared on this many words from their start."""
PERMUTATIONS = 64
_WORD = re.compile(r"[a-z0-9]+")


def near_duplicates(postings: Sequence[PostingRow]) -> list[tuple[str, str]]:
    """Ids of postings whose titles and texts nearly agree, each pair once, in the order of the postings."""
    import numpy as np
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    prints: dict[str, MinHash] = {}
    pairs: list[tuple[str, str]] = []
    for posting in postings:
        shingles = _shingles(posting)
        if not shingles or posting.posting_id in prints:
            continue
        sketch = MinHash(num_perm=PERMUTATIONS, hashfunc=int)
        sketch.update_batch(shingles)
        near = [
            other
            for other in index.query(sketch)
            if np.mean(prints[other].hashvalues == sketch.hashvalues) >= THRESHOLD
        ]
        pairs += [(other, posting.posting_id) for other in sorted(near)]
        prints[posting.posting_id] = sketch
        index.insert(posting.posting_id, sketch)
    return pairs


def _shingles(posting: PostingRow) -> list[int]:
    """Hashes of all runs of three words; of single words for a text with fewer than three."""
    words = _WORD.findall(f"{posting.item.title} {posting.item.text}".lower())[:MOST_WORDS]
    runs = zip(*(words[start:] for start in range(SHINGLE_WORDS)), strict=False)
    return [crc32(" ".join(run).encode()) for run in runs] or [crc32(word.encode()) for word in words]
