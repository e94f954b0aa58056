"""An embedder's checkpoint: its vectors are those of the model that was trained, and a wrong directory is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from models.card import CARD
from models.embedder import Embedder
from models.embedding.checkpoint import HEAD, load_card, load_head
from models.embedding.embedder import CheckpointEmbedder
from models.embedding.reading import QUERY, Texts
from models.prompts import load_tokenizer
from models.vectors import unpack
from nearline.cli.options import CHECKPOINTS
from schemas.errors import ConfigError
from tests.models.embedding.conftest import CARD as SAID
from tests.models.embedding.conftest import CONFIG
from training.embedder.model import EmbedderModel, texts_of

POSTINGS = [
    "Title: Staff nurse\nLocation: Leeds\nText: nights on a ward",
    "Title: Plumber",
    "Title: Cook\nText: lunch",
]
QUERIES = ["nurse nights", "plumber", "school cook, weekdays only"]


def test_it_is_an_embedder_with_the_cards_name_and_the_heads_width(embedder: CheckpointEmbedder) -> None:
    made: Embedder = embedder
    assert (made.model, made.width, embedder.context_tokens, embedder.threshold) == (
        "embedder@7",
        32,
        64,
        0.4,
    )


def test_vectors_are_those_of_the_model_that_was_trained(
    embedder: CheckpointEmbedder, model: EmbedderModel
) -> None:
    texts = texts_of(load_tokenizer(CHECKPOINTS / "ranker-tiny"), SAID)
    ids = texts.queries(QUERIES) + texts.postings(POSTINGS)
    with torch.inference_mode():
        expected = model(ids).numpy()
    found = embedder.embed_queries(QUERIES, 1.0) + embedder.embed_postings(POSTINGS, 1.0)
    np.testing.assert_allclose(unpack(found, 32), expected, atol=2e-3)


def test_a_text_has_one_vector_whatever_it_is_asked_with(embedder: CheckpointEmbedder) -> None:
    together = unpack(embedder.embed_postings([*POSTINGS, POSTINGS[0], "x " * 100], 1.0), 32)
    alone = unpack(embedder.embed_postings(POSTINGS[:1], 1.0), 32)
    np.testing.assert_allclose(together[[0, 3]], np.repeat(alone, 2, axis=0), atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=2e-3)


def test_a_query_and_a_posting_of_the_same_words_are_read_apart(embedder: CheckpointEmbedder) -> None:
    assert embedder.embed_queries(["plumber"], 1.0) != embedder.embed_postings(["plumber"], 1.0)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_nothing_has_no_vector(embedder: CheckpointEmbedder, text: str) -> None:
    assert embedder.embed_queries([text, "nurse"], 1.0)[0] == b""
    assert embedder.embed_postings([text, "Title: nurse"], 1.0)[0] == b""
    assert embedder.embed_postings([text], 1.0) == [b""]
    assert embedder.embed_queries([], 1.0) == []


def test_what_lies_beyond_the_limit_is_not_read(embedder: CheckpointEmbedder) -> None:
    long = "Title: " + "nurse " * 5000
    assert embedder.token_counts([long], queries=False) == [64]
    assert embedder.embed_postings([long], 1.0) == embedder.embed_postings([long + "plumber"], 1.0)
    assert embedder.token_counts(["nurse", ""], queries=True)[1] == 0


@pytest.mark.parametrize("text", ["東京都内の病院で看護師を募集", "\x00\ufffd", "👩‍⚕️", "a" * 20_000])
def test_any_text_is_embedded(embedder: CheckpointEmbedder, text: str) -> None:
    (vector,) = embedder.embed_postings([text], 1.0)
    assert vector == b"" or abs(float(np.linalg.norm(unpack([vector], 32))) - 1) < 1e-2


def test_queries_and_postings_end_with_the_marker_and_stay_within_the_limit() -> None:
    texts = Texts(load_tokenizer(CHECKPOINTS / "ranker-tiny"), tokens=8, end=2)
    queries, postings = (
        texts.queries(["nurse", " "]),
        texts.postings(["Title: nurse with many words in its title", ""]),
    )
    assert [row[-1] for row in (queries[0], postings[0])] == [2, 2]
    assert len(postings[0]) == 8
    assert queries[1] == postings[1] == []
    assert QUERY.startswith("Search")


def _copy(directory: Path, to: Path) -> Path:
    shutil.copytree(directory, to)
    return to


def test_a_directory_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not say kind 'embedding'"):
        load_card(CHECKPOINTS / "ranker-tiny")
    with pytest.raises(ConfigError, match="this is no embedder"):
        CheckpointEmbedder(CHECKPOINTS / "summarizer-tiny", CONFIG)
    with pytest.raises(ConfigError):
        CheckpointEmbedder(tmp_path, CONFIG)


@pytest.mark.parametrize("said", [{"tokens": 1}, {"tokens": "many"}, {"threshold": 2}, {"threshold": "high"}])
def test_a_wrong_card_is_refused(directory: Path, tmp_path: Path, said: dict[str, object]) -> None:
    copy = _copy(directory, tmp_path / "copy")
    card = json.loads((copy / CARD).read_text()) | said
    (copy / CARD).write_text(json.dumps(card))
    with pytest.raises(ConfigError, match=next(iter(said))):
        load_card(copy)


def test_a_damaged_head_is_refused(directory: Path, tmp_path: Path) -> None:
    copy = _copy(directory, tmp_path / "copy")
    weights = load_file(copy / HEAD)
    save_file(weights | {"turn.weight": weights["turn.weight"] * float("nan")}, copy / HEAD)
    with pytest.raises(ConfigError, match="not finite"):
        load_head(copy)
    save_file({"turn.weight": weights["turn.weight"][:, :8].contiguous()}, copy / HEAD)
    with pytest.raises(ConfigError, match="is not the head"):
        load_head(copy)
    (copy / HEAD).unlink()
    with pytest.raises(ConfigError, match="is not the head"):
        CheckpointEmbedder(copy, CONFIG)
