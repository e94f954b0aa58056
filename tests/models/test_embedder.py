"""The stand-in embedder and the vectors' bytes."""

from __future__ import annotations

import numpy as np
import pytest

from models.embedder import HashingEmbedder
from models.vectors import pack, unpack, width_of
from schemas.errors import ConfigError


def test_vectors_are_of_length_one_in_little_endian_float16() -> None:
    (vector,) = HashingEmbedder(64).embed_postings(["Night nurse on a surgical ward"], 1.0)
    numbers = np.frombuffer(vector, "<f2").astype(np.float64)
    assert numbers.shape == (64,)
    assert np.linalg.norm(numbers) == pytest.approx(1.0, abs=2e-3)


def test_a_text_with_the_same_words_is_nearer_than_one_with_others() -> None:
    embedder = HashingEmbedder()
    query = unpack(embedder.embed_queries(["night nurse"], 1.0), 256)
    postings = unpack(embedder.embed_postings(["Nurses, nights, London", "Forklift driver, Leeds"], 1.0), 256)
    near, far = postings @ query[0]
    assert near > 0.3 > far


def test_a_text_without_words_has_no_vector() -> None:
    assert HashingEmbedder().embed_queries(["", " - ", "nurse"], 1.0)[:2] == [b"", b""]


def test_the_stand_in_gives_the_same_vectors_on_every_machine() -> None:
    (vector,) = HashingEmbedder(8).embed_queries(["night nurse"], 1.0)
    assert vector.hex() == "000000000000a839000000000000a8b9"


def test_a_width_of_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="width"):
        HashingEmbedder(0)


def test_rows_of_zeros_and_of_infinities_have_no_vector() -> None:
    rows = np.array([[0.0, 0.0], [np.inf, 1.0], [np.nan, 1.0], [3.0, 4.0]], np.float32)
    assert pack(rows)[:3] == [b"", b"", b""]
    assert unpack(pack(rows)[3:], 2).tolist() == [pytest.approx([0.6, 0.8], abs=1e-3)]


def test_vectors_of_another_width_are_never_stacked() -> None:
    narrow, wide = b"\0" * 8, b"\0" * 16
    assert (width_of(narrow), width_of(wide), width_of(b"")) == (4, 8, 0)
    with pytest.raises(ValueError, match="width 8 among vectors of width 4"):
        unpack([narrow, wide], 4)
