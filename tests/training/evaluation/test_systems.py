"""The ranker, BM25, MiniLM and chance as systems, and rankers that are refused."""

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from transformers import Qwen3ForCausalLM

from models.prompts import Prompter
from models.ranker import LexicalRanker
from schemas.errors import ConfigError
from tests.support.tiny import byte_level_tokenizer, word_piece_tokenizer, write_checkpoint
from tests.training.evaluation.items import ITEMS, item, judged_query, tell
from training.evaluation.baselines.bi_encoder import BiEncoder, BiEncoderConfig, SentenceEncoder
from training.evaluation.baselines.bm25 import Bm25System, words
from training.evaluation.ranker_system import LocalScorer, RankerSystem, ServerScorer, open_scorer
from training.evaluation.settings import MetricConfig, RankerPlace
from training.evaluation.systems import outcome, random_order
from training.judging.records import JudgedQuery


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("ranker"), byte_level_tokenizer(), name="ranker@3")


def test_the_engines_logit_differences_are_those_of_transformers_in_fp32(checkpoint: Path) -> None:
    model = Qwen3ForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    prompter = Prompter.from_dir(checkpoint)
    queries = [("steel by day", list(ITEMS.values())), ("", list(ITEMS.values())[:2])]
    found = LocalScorer(checkpoint, "cpu").differences(queries)
    yes, no = prompter.label_ids
    for (query, items), values in zip(queries, found, strict=True):
        for ids, value in zip(prompter.item_ids_many(items), values, strict=True):
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([prompter.prefix_ids(query) + ids])).logits[0, -1]
            assert value == pytest.approx(float(logits[yes] - logits[no]), abs=2e-4)


def test_a_score_does_not_depend_on_what_is_scored_beside_it(checkpoint: Path) -> None:
    scorer, items = LocalScorer(checkpoint, "cpu"), list(ITEMS.values())
    (together,) = scorer.differences([("welder", items)])
    alone = [scorer.differences([("welder", [one])])[0][0] for one in items]
    assert together == pytest.approx(alone, abs=1e-4)


def test_without_description_the_ranker_reads_title_and_metadata_only(checkpoint: Path) -> None:
    scorer = LocalScorer(checkpoint, "cpu")
    changed = {name: item(one.title, "other words") for name, one in ITEMS.items()}
    query = judged_query("welder", 4, 3, 2, 1, 0, 0)
    blind, seeing = (RankerSystem(scorer=scorer, describe=d) for d in (False, True))
    first, second = (blind.score_many([query], items, tell)[0] for items in (ITEMS, changed))
    assert first.tolist() == second.tolist()
    assert (
        seeing.score_many([query], ITEMS, tell)[0].tolist()
        != seeing.score_many([query], changed, tell)[0].tolist()
    )


def test_a_servers_p_yes_orders_as_its_logit_does() -> None:
    (found,) = ServerScorer(LexicalRanker()).differences([("steel work", list(ITEMS.values()))])
    p = LexicalRanker().score_many("steel work", list(ITEMS.values()), 1.0)
    assert 1 / (1 + np.exp(-found)) == pytest.approx(p)


def test_bm25_by_hand() -> None:
    items = {"a": item("x", "steel steel day"), "b": item("x", "night")}
    query = JudgedQuery(
        query_id="q", query="Steel nothing", posting_ids=("b", "a"), labels=(0, 4), soft_labels=(0, 1)
    )
    (found,) = Bm25System().score_many([query], items, tell)
    idf, lengths = np.log(1 + (2 - 1 + 0.5) / (1 + 0.5)), (5, 3)
    by_hand = idf * 2 / (2 + 0.9 * (1 - 0.4 + 0.4 * lengths[0] / np.mean(lengths)))
    assert found == pytest.approx([0, by_hand])


def test_bm25_on_titles_does_not_read_the_text() -> None:
    query = judged_query("steel acme", 4, 0, 0, 0, 0, 0)
    (whole,), (title,) = (Bm25System(whole=w).score_many([query], ITEMS, tell) for w in (True, False))
    assert whole[0] > whole[1]
    assert len(set(title.tolist())) < len(set(whole.tolist()))


def test_bm25_reads_stems_without_stop_words_and_keeps_the_signs_of_language_names() -> None:
    assert words("Nurses nursing with C++, C# and c") == ["nurs", "nurs", "c++", "c#", "c"]


@pytest.mark.timeout(120)
def test_minilm_finds_the_nurse_for_a_hospital_and_keeps_its_vectors(tmp_path: Path) -> None:
    query = judged_query("hospital ward", 0, 4, 0, 0, 0, 0)
    (found,) = BiEncoder(cache=tmp_path).score_many([query], ITEMS, tell)
    assert int(found.argmax()) == 1
    assert (np.abs(found) <= 1).all()
    stored = (tmp_path / "minilm.npz").stat().st_mtime_ns
    (again,) = BiEncoder(cache=tmp_path).score_many([query], ITEMS, tell)
    assert again.tolist() == found.tolist()
    assert (tmp_path / "minilm.npz").stat().st_mtime_ns == stored


@pytest.mark.timeout(120)
def test_a_vector_does_not_depend_on_its_batch() -> None:
    texts = ["nurse", "a ward at night " * 400, "cook"]
    together = SentenceEncoder(BiEncoderConfig()).encode(texts, tell)
    one = SentenceEncoder(BiEncoderConfig(batch_tokens=1))
    alone = np.concatenate([one.encode([text], tell) for text in texts])
    assert together == pytest.approx(alone, abs=1e-5)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1)


def test_ties_everywhere_are_counted_and_do_not_depend_on_the_files_order() -> None:
    class Level:
        name = "level"
        settings: ClassVar[dict[str, Any]] = {}

        def score_many(self, queries: Any, items: Any, tell: Any) -> list[Any]:
            del items, tell
            return [np.zeros(len(query.labels)) for query in queries]

    first = judged_query("x", 4, 3, 2, 1, 0, 0)
    turned = JudgedQuery(
        query_id="q2",
        query="x",
        posting_ids=first.posting_ids[::-1],
        labels=first.labels[::-1],
        soft_labels=first.soft_labels[::-1],
    )
    found = outcome(Level(), [first, turned], ITEMS, MetricConfig(), tell)
    assert found.figures[0].tolist() == found.figures[1].tolist()
    assert (found.ties.mixed, found.ties.all_items) == (2, 2)


def test_a_score_that_is_no_number_names_its_pair() -> None:
    class Broken:
        name = "broken"
        settings: ClassVar[dict[str, Any]] = {}

        def score_many(self, queries: Any, items: Any, tell: Any) -> list[Any]:
            del queries, items, tell
            return [np.array([1.0, np.nan])]

    with pytest.raises(ConfigError, match="broken gives no number for posting 'p1' of query 'q1'"):
        outcome(Broken(), [judged_query("x", 4, 0)], ITEMS, MetricConfig(), tell)


def test_random_needs_no_seed_and_a_query_of_one_grade_is_always_right() -> None:
    found = random_order([judged_query("x", 2, 2, 2), judged_query("y", 4, 0, 0)], MetricConfig())
    assert found.figures[0, 0] == pytest.approx(1)
    assert 0 < found.figures[1, 0] < 1


@pytest.mark.parametrize("missing", ["tokenizer.json", "config.json", "model.safetensors"])
def test_an_incomplete_ranker_directory_is_refused(tmp_path: Path, missing: str) -> None:
    path = write_checkpoint(tmp_path / "ranker", byte_level_tokenizer())
    (path / missing).unlink()
    with pytest.raises(ConfigError, match=missing.split(".", maxsplit=1)[0]):
        open_scorer(RankerPlace(name=str(path), device="cpu"))


def test_a_ranker_of_another_vocabulary_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "ranker", word_piece_tokenizer())
    byte_level_tokenizer().save(str(path / "tokenizer.json"))
    with pytest.raises(ConfigError, match=r"the tokenizer has .* ids, the model only"):
        open_scorer(RankerPlace(name=str(path), device="cpu"))


def test_a_tokenizer_that_cannot_spell_the_labels_is_refused(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "ranker", byte_level_tokenizer())
    tokenizer = json.loads((path / "tokenizer.json").read_text())
    tokenizer["model"]["merges"] = []
    (path / "tokenizer.json").write_text(json.dumps(tokenizer))
    with pytest.raises(ConfigError, match="is the tokenizer that of another model"):
        open_scorer(RankerPlace(name=str(path), device="cpu"))


def test_a_ranker_that_is_nowhere_is_refused() -> None:
    with pytest.raises(ConfigError, match="neither a checkpoint directory nor a model server's URL"):
        open_scorer(RankerPlace(name="no/such/dir"))


def test_a_device_that_is_not_there_is_refused(checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="--device 'tpu'"):
        open_scorer(RankerPlace(name=str(checkpoint), device="tpu"))
