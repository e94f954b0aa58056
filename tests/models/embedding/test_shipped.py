"""The shipped embedder as it is asked in use: a paraphrase is nearer than another trade, any text is answered."""

from pathlib import Path

import pytest

from models.embedding.embedder import CheckpointEmbedder
from models.engine.checkpoint_engine import EngineConfig
from models.vectors import unpack
from nearline.cli.options import CHECKPOINTS

SHIPPED = CHECKPOINTS / "embedder-tiny"
MOST_BYTES = 12_000_000
POSTINGS = (
    "Title: Registered Nurse\nLocation: Leeds\nText: nights on a hospital ward; two years of experience",
    "Title: HGV Driver\nText: deliveries to shops; a licence for heavy lorries",
    "Title: Backend Engineer\nRemote: remote\nText: Python services and databases; a small team",
    "Title: Primary School Teacher\nText: lessons for children of seven; term time only",
)


@pytest.fixture(scope="module")
def shipped() -> CheckpointEmbedder:
    return CheckpointEmbedder(SHIPPED, EngineConfig(role="embedder", device="cpu"))


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("staff nurse", 0),
        ("hospital nursing, night shifts", 0),
        ("truck driver", 1),
        ("software developer", 2),
        ("python programmer, work from home", 2),
        ("teaching children", 3),
    ],
)
def test_a_paraphrase_is_nearest_to_the_posting_that_answers_it(
    shipped: CheckpointEmbedder, query: str, answer: int
) -> None:
    asked = unpack(shipped.embed_queries([query], 1.0), shipped.width)
    found = unpack(shipped.embed_postings(POSTINGS, 1.0), shipped.width)
    assert (asked @ found.T).argmax() == answer


def test_it_is_small_and_its_card_is_whole(shipped: CheckpointEmbedder) -> None:
    assert sum(path.stat().st_size for path in Path(SHIPPED).iterdir()) <= MOST_BYTES
    assert (shipped.width, shipped.model) == (256, "embedder@1")
    assert shipped.threshold is not None
    assert -1 < shipped.threshold < 1


@pytest.mark.parametrize("text", ["", "看護師", "nurse " * 20_000, "\x00", "Wir suchen eine Pflegekraft"])
def test_any_query_has_a_vector_or_none(shipped: CheckpointEmbedder, text: str) -> None:
    (vector,) = shipped.embed_queries([text], 1.0)
    assert len(vector) == (0 if text in ("", "\x00") else 512)


def test_a_text_in_a_script_that_the_model_cannot_read_has_no_vector(shipped: CheckpointEmbedder) -> None:
    queries = [
        "وظيفة خدمة عملاء في عمّان بدون خبرة",
        "ゲーム 翻訳 在宅 ビザサポート",
        "night nurse near Leeds",
    ]
    arabic, japanese, english = shipped.embed_queries(queries, 1.0)
    assert (arabic, japanese) == (b"", b"")
    assert english
