"""A whole evaluation on a tiny random checkpoint: scores, baselines, report, table, and what is refused."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from transformers import Qwen3ForCausalLM
from typer.testing import CliRunner

from models.prompts import Item, Prompter
from models.ranker import LexicalRanker
from nearline.__main__ import app
from schemas.errors import ConfigError
from tests.models.tiny import byte_level_tokenizer, word_piece_tokenizer, write_checkpoint
from training.baselines.bi_encoder import BiEncoder, BiEncoderConfig, encode
from training.baselines.bm25 import Bm25, words
from training.evaluation import report as reports
from training.evaluation.ranker import LocalScorer, RankerSystem, ServerScorer, open_scorer
from training.evaluation.run import baselines, evaluate, evaluate_runs
from training.evaluation.settings import BootstrapConfig, EvaluationConfig, MetricConfig, RankerPlace, Request
from training.evaluation.systems import outcome, random_order
from training.evaluation.table import WIDTH, tables
from training.judged import JudgedQuery

TITLES = ("Welder", "Staff nurse", "Cook", "C++ developer", "Night porter", "Teacher")
TEXTS = (
    "steel work by day",
    "ward nights, remote",
    "kitchen, weekends off",
    "compilers and steel",
    "nights",
    "school",
)
QUICK = EvaluationConfig(bootstrap=BootstrapConfig(resamples=200))


def tell(_: int) -> None:
    """Nobody watches."""


def begin(_name: str, _total: int) -> Callable[[int], None]:
    return tell


def item(title: str, text: str) -> Item:
    return Item(title=title, company="Acme", location=None, employment_type=None, remote=None, text=text)


ITEMS = {f"p{n}": item(title, text) for n, (title, text) in enumerate(zip(TITLES, TEXTS, strict=True))}


def judged_query(text: str, *labels: int, query_id: str = "q1") -> JudgedQuery:
    names = tuple(ITEMS)[: len(labels)]
    soft = tuple(label / 4 for label in labels)
    return JudgedQuery(query_id=query_id, query=text, posting_ids=names, labels=labels, soft_labels=soft)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("ranker"), byte_level_tokenizer(), name="ranker@3")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rows = [
        {"id": name, "title": i.title, "company": i.company, "description": i.text}
        for name, i in ITEMS.items()
    ]
    postings = tmp_path / "postings.jsonl"
    postings.write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = tmp_path / "judged.jsonl"
    rng = np.random.default_rng(0)
    asked = [
        {
            "query": f"{title} {n}",
            "strata": [("title only", "one facet")[n % 2]],
            "items": [
                {"id": name, "grade": int(g)} for name, g in zip(ITEMS, rng.integers(0, 5, 6), strict=True)
            ],
        }
        for n, title in enumerate(TITLES * 2)
    ]
    judged.write_text("".join(json.dumps(row) + "\n" for row in asked))
    return judged, postings


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
    (found,) = Bm25().score_many([query], items, tell)
    idf, lengths = np.log(1 + (2 - 1 + 0.5) / (1 + 0.5)), (5, 3)
    by_hand = idf * 2 / (2 + 1.2 * (1 - 0.75 + 0.75 * lengths[0] / np.mean(lengths)))
    assert found == pytest.approx([0, by_hand])


def test_bm25_on_titles_does_not_read_the_text() -> None:
    query = judged_query("steel acme", 4, 0, 0, 0, 0, 0)
    (whole,), (title,) = (Bm25(whole=w).score_many([query], ITEMS, tell) for w in (True, False))
    assert whole[0] > whole[1]
    assert len(set(title.tolist())) < len(set(whole.tolist()))


def test_bm25_keeps_the_signs_of_language_names() -> None:
    assert words("C++, C# and c") == ["c++", "c#", "and", "c"]


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
    together = encode(texts, BiEncoderConfig(), tell)
    alone = np.concatenate([encode([text], BiEncoderConfig(batch_tokens=1), tell) for text in texts])
    assert together == pytest.approx(alone, abs=1e-5)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1)


def test_ties_everywhere_are_counted_and_do_not_depend_on_the_files_order() -> None:
    class Level:
        name, settings = "level", {}

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
        name, settings = "broken", {}

        def score_many(self, queries: Any, items: Any, tell: Any) -> list[Any]:
            del queries, items, tell
            return [np.array([1.0, np.nan])]

    with pytest.raises(ConfigError, match="broken gives no number for posting 'p1' of query 'q1'"):
        outcome(Broken(), [judged_query("x", 4, 0)], ITEMS, MetricConfig(), tell)


def test_a_report_holds_means_intervals_and_values_of_every_system(
    files: tuple[Path, Path], checkpoint: Path, tmp_path: Path
) -> None:
    request = Request(
        judged=files[0],
        postings=(files[1],),
        ranker=RankerPlace(name=str(checkpoint), device="cpu"),
        baselines="no-description,bm25,bm25-title,random",
        save_run=tmp_path / "ranker.run",
    )
    report = evaluate(request, QUICK, begin)
    reports.write(report, tmp_path / "r.json")
    assert reports.load(tmp_path / "r.json") == json.loads(json.dumps(report))
    assert [s["name"] for s in report["systems"]] == [
        "ranker",
        "no-description",
        "bm25",
        "bm25-title",
        "random",
    ]
    for system in report["systems"]:
        values = system["per_query"]["ndcg"]
        assert len(values) == report["counts"]["queries"] == 12
        assert system["metrics"]["ndcg"]["mean"] == pytest.approx(np.mean(values))
        assert system["metrics"]["ndcg"]["low"] <= np.mean(values) <= system["metrics"]["ndcg"]["high"]
        assert system["strata"]["one facet"]["ndcg"]["mean"] == pytest.approx(np.mean(values[1::2]))
    ranker, blind, *_ = report["systems"]
    assert blind["metrics"]["ndcg"]["minus_first"]["mean"] == pytest.approx(
        blind["metrics"]["ndcg"]["mean"] - ranker["metrics"]["ndcg"]["mean"]
    )
    assert ranker["settings"]["model"] == "ranker@3"
    assert {each["role"] for each in report["settings"]["inputs"]} == {"judged", "postings", "ranker"}
    assert ranker["calibration"]["bins"]

    of_run = evaluate_runs(tmp_path / "ranker.run.qrels", [tmp_path / "ranker.run"], QUICK)
    assert of_run["systems"][0]["per_query"]["ndcg"] == pytest.approx(ranker["per_query"]["ndcg"], abs=1e-9)


def test_the_same_seed_gives_the_same_report(files: tuple[Path, Path], checkpoint: Path) -> None:
    place = RankerPlace(name=str(checkpoint), device="cpu")
    request = Request(judged=files[0], postings=(files[1],), ranker=place, baselines="bm25")
    assert json.dumps(evaluate(request, QUICK, begin)) == json.dumps(evaluate(request, QUICK, begin))


def test_the_table_fits_100_columns_and_names_every_system(
    files: tuple[Path, Path], checkpoint: Path
) -> None:
    request = Request(
        judged=files[0],
        postings=(files[1],),
        ranker=RankerPlace(name=str(checkpoint), device="cpu"),
        baselines="no-description,bm25,bm25-title,random",
    )
    console = Console(width=WIDTH, record=True, file=io.StringIO())
    console.print(tables(evaluate(request, QUICK, begin)))
    shown = console.export_text()
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert all(name in shown for name in ("no-description", "bm25-title", "random", "one facet"))
    assert "…" not in shown


def test_random_needs_no_seed_and_a_query_of_one_grade_is_always_right() -> None:
    found = random_order([judged_query("x", 2, 2, 2), judged_query("y", 4, 0, 0)], MetricConfig())
    assert found.figures[0, 0] == pytest.approx(1)
    assert 0 < found.figures[1, 0] < 1


def test_an_unknown_baseline_is_named() -> None:
    with pytest.raises(ConfigError, match="--baselines 'bm52' is unknown: use no-description"):
        baselines("bm25,bm52")


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


def test_the_command_writes_its_report_and_shows_its_table(
    files: tuple[Path, Path], checkpoint: Path, tmp_path: Path
) -> None:
    given = [
        "evaluate",
        "--judged",
        files[0],
        "--postings",
        files[1],
        "--ranker",
        checkpoint,
        "--device",
        "cpu",
    ]
    given += ["--baselines", "bm25,random", "--resamples", "200", "--report", tmp_path / "r.json"]
    result = CliRunner().invoke(app, list(map(str, given)))
    assert result.exit_code == 0, result.output
    assert "NDCG@10 linear" in result.stdout
    assert reports.load(tmp_path / "r.json")["settings"]["resamples"] == 200


def test_a_ranker_may_be_named_by_url(files: tuple[Path, Path]) -> None:
    result = CliRunner().invoke(
        app,
        [
            "evaluate",
            "--judged",
            str(files[0]),
            "--postings",
            str(files[1]),
            "--ranker",
            "instant:",
            "--baselines",
            "",
        ],
    )
    assert result.exit_code == 0, result.output
    assert "bm25" not in result.stdout


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["--judged", "j"],
        ["--qrels", "q"],
        ["--run", "r"],
        ["--judged", "j", "--qrels", "q", "--run", "r"],
    ],
)
def test_half_a_request_is_refused(given: list[str]) -> None:
    result = CliRunner().invoke(app, ["evaluate", *given])
    assert isinstance(result.exception, ConfigError)
    assert "--qrels FILE and --run FILE" in str(result.exception)


def test_a_file_that_is_no_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("{}")
    with pytest.raises(ConfigError, match="not a report of `nearline evaluate --report`"):
        reports.load(tmp_path / "r.json")
