"""Pruning from files to directories: pairs, scans, the recipe's stages, and bad input."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.engine.checkpoint import read_shape
from models.prompts import Prompter
from models.pruning import checkpoint as checkpoints
from models.pruning.config import CalibrationSize, MlpPruning
from models.pruning.lineage import read_steps
from models.weights_hash import weights_sha256
from schemas.errors import ConfigError
from tests.support.tiny import byte_level_tokenizer, write_checkpoint
from training.evaluation.metrics import query_ndcg
from training.evaluation.offline import TransformersScorer
from training.pruning import data
from training.pruning import stages as pruning_stages
from training.pruning.blocks import block_numbers, dropped
from training.pruning.runs import drop_blocks, prune_mlp, scan_blocks
from training.pruning.settings import Drop, MlpRun, RecipeRun
from training.pruning.stages import Stage, run_recipe, run_stages, stages, stages_of

COUNT = 24


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pruning") / "dense"
    return write_checkpoint(path, byte_level_tokenizer(), num_hidden_layers=3)


@pytest.fixture(scope="module")
def postings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {"id": f"p{n}", "title": f"welder {n}", "company": "Acme", "description": f"steel work {n} " * 4}
        for n in range(COUNT)
    ]
    return write(tmp_path_factory.mktemp("postings") / "postings.jsonl", rows)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {"query": f"steel {q}", "items": [{"id": f"p{(q + n) % COUNT}", "grade": n % 5} for n in range(6)]}
        for q in range(4)
    ]
    return write(tmp_path_factory.mktemp("judged") / "judged.jsonl", rows)


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def run(dense: Path, postings: Path, out: Path, **changes: Any) -> MlpRun:
    return MlpRun(checkpoint=dense, out=out, postings=postings, command="nearline prune mlp", **changes)


def test_a_run_writes_a_smaller_checkpoint_and_says_what_it_was_calibrated_on(
    dense: Path, postings: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    reports = prune_mlp(run(dense, postings, tmp_path / "small"), said.append)
    shape = read_shape(tmp_path / "small")
    assert (shape.layers, shape.mlp) == (3, 24)
    assert [report.kept for report in reports] == [24, 24, 24]
    (step,) = read_steps(tmp_path / "small")
    assert step["parent_sha256"] == weights_sha256(dense)
    assert step["calibration"]["prompts"] == COUNT
    assert step["calibration"]["tokens"] > 24
    assert step["figures"]["error of layer 0"] == reports[0].error
    assert step["parameters"] == checkpoints.parameters(checkpoints.load(tmp_path / "small").model)
    assert any("layer 2 of 3" in line for line in said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small"]


def test_the_same_run_gives_the_same_weights(dense: Path, postings: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        prune_mlp(run(dense, postings, tmp_path / name, size=CalibrationSize(batch_tokens=300)))
    assert weights_sha256(tmp_path / "one") == weights_sha256(tmp_path / "two")


def test_states_in_memory_give_the_weights_of_states_on_disk(
    dense: Path, postings: Path, tmp_path: Path
) -> None:
    for in_memory in (True, False):
        prune_mlp(run(dense, postings, tmp_path / f"{in_memory}", in_memory=in_memory))
    assert weights_sha256(tmp_path / "True") == weights_sha256(tmp_path / "False")


def test_a_device_that_is_not_here_is_named(dense: Path, postings: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--device cuda:99"):
        prune_mlp(run(dense, postings, tmp_path / "small", device="cuda:99"))


def test_a_calibration_set_too_small_leaves_the_last_good_checkpoint(
    dense: Path, postings: Path, tmp_path: Path
) -> None:
    out = tmp_path / "small"
    prune_mlp(run(dense, postings, out))
    before = weights_sha256(out)
    # one prompt of tens of tokens is always read: a layer that keeps more is what is too small for it
    wide = write_checkpoint(tmp_path / "wide", byte_level_tokenizer(), intermediate_size=2000)
    with pytest.raises(ConfigError, match="give at least 2000 tokens"):
        prune_mlp(run(wide, postings, out, size=CalibrationSize(tokens=10), pruning=MlpPruning(keep=1)))
    assert weights_sha256(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small", "wide"]


def test_pairs_of_a_judged_file_are_the_judged_ones(postings: Path, judged: Path) -> None:
    found = {(query, item.title) for query, item in data.pairs(postings, judged)}
    assert found == {(f"steel {q}", f"welder {(q + n) % COUNT}") for q in range(4) for n in range(6)}


def test_pairs_of_plain_queries_take_every_posting_once(postings: Path, tmp_path: Path) -> None:
    queries = write(tmp_path / "queries.jsonl", [{"query": "steel"}, {"query": "nights"}])
    found = list(data.pairs(postings, queries))
    assert sorted(item.title for _, item in found) == sorted(f"welder {n}" for n in range(COUNT))
    assert {query for query, _ in found} == {"steel", "nights"}


def test_only_the_train_split_is_calibrated_on_and_any_split_measured(postings: Path, tmp_path: Path) -> None:
    rows = [
        {"query": split, "items": [{"id": f"p{n}", "grade": 3}], "split": split}
        for n, split in enumerate(("train", "dev", "test"))
    ]
    path = write(tmp_path / "judged.jsonl", rows)
    assert [query for query, _ in data.pairs(postings, path)] == ["train"]
    assert [one.query for one in data.judged_queries(path, postings, "dev")] == ["dev"]
    assert len(data.judged_queries(path, postings)) == 3
    with pytest.raises(ConfigError, match="split 'validation' is empty"):
        data.judged_queries(path, postings, "validation")


def test_a_few_pairs_come_from_the_whole_file(postings: Path) -> None:
    numbers = [int(item.title.split()[1]) for _, item in data.pairs(postings, None)]
    assert numbers[:3] == [0, 8, 16]
    assert sorted(numbers) == list(range(COUNT))


def test_without_queries_titles_ask_for_their_own_posting_and_for_the_next(postings: Path) -> None:
    pairs = list(data.pairs(postings, None))
    own = [query == item.title for query, item in pairs]
    assert own == [n % 2 == 0 for n in range(COUNT)]


def test_judged_parquet_reads_as_judged_lines(postings: Path, judged: Path, tmp_path: Path) -> None:
    rows = [
        {"query_id": one["query"], "query": one["query"], "posting_id": item["id"], "label": item["grade"]}
        for one in map(json.loads, judged.read_text().splitlines())
        for item in one["items"]
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "judged.parquet")
    lines, parquet = (data.judged_queries(path, postings) for path in (judged, tmp_path / "judged.parquet"))
    assert lines == parquet


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "is empty"),
        (["no object"], "line 1: not an object"),
        ([{"query": "a", "items": [{"id": "p1", "grade": 1}]}, {"query": "b"}], "line 2"),
        ([{"query": "a", "items": [{"id": "p1", "grade": 5}]}], "line 1, item 1.*grade"),
        ([{"query": "a", "items": [{"id": "gone", "grade": 1}]}], "first 'gone' of query"),
    ],
)
def test_a_judged_file_that_cannot_be_used_names_what_is_wrong(
    postings: Path, tmp_path: Path, rows: list[Any], said: str
) -> None:
    path = write(tmp_path / "judged.jsonl", rows)
    with pytest.raises(ConfigError, match=said):
        data.judged_queries(path, postings)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"query": "a"}, {"id": "s2"}], "line 2: query"),
        ([{"query": " "}], "line 1: query"),
        ([], "no query"),
    ],
)
def test_a_file_of_queries_names_the_line_without_one(
    postings: Path, tmp_path: Path, rows: list[Any], said: str
) -> None:
    path = write(tmp_path / "queries.jsonl", rows)
    with pytest.raises(ConfigError, match=said):
        next(data.pairs(postings, path))


def test_queries_without_any_relevant_item_cannot_measure(
    dense: Path, postings: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "j.jsonl", [{"query": "a", "items": [{"id": "p1", "grade": 0}]}])
    with pytest.raises(ConfigError, match="no judged query has a relevant item"):
        data.ndcgs(data.judged_queries(path, postings), Prompter.from_dir(dense))


def test_a_scan_measures_ndcg_of_the_model_without_each_block(
    dense: Path, postings: Path, judged: Path, tmp_path: Path
) -> None:
    found = scan_blocks(dense, judged, postings)
    measure = data.ndcgs(data.judged_queries(judged, postings), Prompter.from_dir(dense))
    for block in range(3):
        drop_blocks(dense, tmp_path / str(block), [block])
        small = checkpoints.load(tmp_path / str(block)).model
        assert found.without_BQ[block] == pytest.approx(measure(small), abs=1e-12)


def test_ndcg_of_a_model_is_that_of_its_scores(dense: Path, postings: Path, judged: Path) -> None:
    queries = data.judged_queries(judged, postings)
    prompter = Prompter.from_dir(dense)
    model = checkpoints.load(dense).model
    values = data.ndcgs(queries, prompter)(model)

    (scores,) = TransformersScorer(model, prompter).differences([(queries[1].query, queries[1].items)])
    wanted = query_ndcg(scores, queries[1].grades, queries[1].posting_ids)
    assert values[1] == pytest.approx(wanted, abs=1e-6)


def test_dropped_blocks_stand_in_the_card(dense: Path, tmp_path: Path) -> None:
    assert drop_blocks(dense, tmp_path / "small", [2, 0], command="nearline prune layers") == [1]
    assert "blocks 0, 2 removed, 1 stay" in (tmp_path / "small" / "README.md").read_text()
    assert read_shape(tmp_path / "small").layers == 1


@pytest.mark.parametrize(
    ("text", "numbers"), [("6,7", [6, 7]), ("2-4", [2, 3, 4]), ("0, 20-21", [0, 20, 21]), ("5", [5])]
)
def test_block_numbers_are_read(text: str, numbers: list[int]) -> None:
    assert block_numbers(text) == numbers


@pytest.mark.parametrize("text", ["", "a", "1,,2", "-1", "3-", "1.5"])
def test_what_is_no_list_of_blocks_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--drop"):
        block_numbers(text)


def test_blocks_to_drop_are_numbers_the_last_or_the_least(dense: Path, postings: Path, judged: Path) -> None:
    found = scan_blocks(dense, judged, postings)
    assert dropped(Drop(blocks="0,2"), dense) == [0, 2]
    assert dropped(Drop(blocks="last:2"), dense) == [1, 2]
    assert dropped(Drop(blocks="least:1", judged=judged, postings=postings), dense) == found.least(1)


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ("3", "no block 3"),
        ("last:3", "leaves no model"),
        ("last:4", "no block -1"),
        ("least:3", "leaves no model"),
        ("least:1", "give --judged and --postings"),
        ("first:1", "--drop"),
        ("last:x", "--drop"),
    ],
)
def test_blocks_that_cannot_be_dropped_are_refused(dense: Path, blocks: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        dropped(Drop(blocks=blocks), dense)


def without_the_first(checkpoint: Path, out: Path) -> None:
    drop_blocks(checkpoint, out, [0])


def copying(made: list[str]) -> Callable[[Path, Path], None]:
    """Fine-tuning that only copies, and remembers that it ran."""

    def sft(checkpoint: Path, out: Path) -> None:
        made.append(out.name)
        source = checkpoints.load(checkpoint)
        (step,) = read_steps(checkpoint)[-1:]
        from models.pruning.lineage import LineageStep

        checkpoints.save(source, out, LineageStep(**{**step, "what": "tuned"}))

    return sft


def test_the_recipe_prunes_tunes_drops_and_tunes(dense: Path, postings: Path, tmp_path: Path) -> None:
    made: list[str] = []
    mlp = run(dense, postings, tmp_path / "out")
    steps = stages(mlp, Drop(blocks="last:1"), copying(made), lambda _: None)
    run_stages(steps, dense, tmp_path / "work", tmp_path / "out")
    assert [stage.name for stage in steps] == ["1-mlp", "2-mlp-sft", "3-drop", "4-drop-sft"]
    assert made == ["2-mlp-sft", "4-drop-sft"]
    assert (read_shape(tmp_path / "out").layers, read_shape(tmp_path / "out").mlp) == (2, 24)
    assert len(read_steps(tmp_path / "out")) == 4


def test_a_recipe_that_was_cut_off_goes_on_with_its_stage(dense: Path, tmp_path: Path) -> None:
    made: list[str] = []

    def make(name: str) -> Stage:
        def stage(checkpoint: Path, out: Path) -> None:
            made.append(name)
            if name == "b" and made.count("b") == 1:
                raise KeyboardInterrupt
            drop_blocks(checkpoint, out, [0])

        return Stage(name=name, make=stage)

    steps = [make("a"), make("b")]
    with pytest.raises(KeyboardInterrupt):
        run_stages(steps, dense, tmp_path / "work", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    run_stages(steps, dense, tmp_path / "work", tmp_path / "out")
    assert made == ["a", "b", "b"]
    assert read_shape(tmp_path / "out").layers == 1


def test_stages_of_another_recipe_are_not_taken_for_these(dense: Path, tmp_path: Path) -> None:
    steps = [Stage(name="a", make=without_the_first)]
    run_stages(steps, dense, tmp_path / "work", tmp_path / "out", settings={"keep": 0.5})
    run_stages(steps, dense, tmp_path / "work", tmp_path / "out", settings={"keep": 0.5})
    with pytest.raises(ConfigError, match="stages of another recipe"):
        run_stages(steps, dense, tmp_path / "work", tmp_path / "out", settings={"keep": 0.25})


def test_a_named_recipe_says_what_goes_and_how_it_is_tuned(
    dense: Path, postings: Path, judged: Path, tmp_path: Path
) -> None:
    tuned: list[int] = []
    mlp, drop = run(dense, postings, tmp_path / "out"), Drop(blocks="", judged=judged, postings=postings)

    def sft(number: int) -> pruning_stages.Make:
        tuned.append(number)
        return copying([])

    made = stages_of("prune_qwen3_0_6b", mlp, drop, sft, lambda _: None)
    assert [stage.name for stage in made] == ["1-mlp", "2-sft", "3-drop", "4-sft"]
    assert tuned == [1, 2]
    made[0].make(dense, tmp_path / "small")
    assert read_shape(tmp_path / "small").mlp == 24
    with pytest.raises(ConfigError, match="no block -5"):
        made[2].make(dense, tmp_path / "small")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": "prune_everything"}, "no recipe 'prune_everything'"),
        ({"recipe": "prune_qwen3_0_6b", "drop": Drop(blocks="")}, "give --judged and --postings"),
        ({"recipe": "prune_qwen3_0_6b", "sft": "train"}, "leave --sft and --drop out"),
    ],
)
def test_a_recipe_that_cannot_run_names_the_setting(
    dense: Path, postings: Path, judged: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    drop = Drop(blocks="", judged=judged, postings=postings)
    given = {"mlp": run(dense, postings, tmp_path / "out"), "drop": drop, **changes}
    with pytest.raises(ConfigError, match=said):
        run_recipe(RecipeRun(**given))
    assert not (tmp_path / "out").exists()


def test_stages_without_tuning_or_drop_are_left_out(dense: Path, postings: Path, tmp_path: Path) -> None:
    mlp = run(dense, postings, tmp_path / "out")
    assert [stage.name for stage in stages(mlp, None, None, lambda _: None)] == ["1-mlp"]
    assert [stage.name for stage in stages(mlp, Drop(blocks="0"), None, lambda _: None)] == [
        "1-mlp",
        "2-drop",
    ]


def test_tuning_may_be_any_command_and_keeps_the_lineage(dense: Path, tmp_path: Path) -> None:
    program = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2])"
    make = pruning_stages.command(f"{sys.executable} -c '{program}' {{checkpoint}} {{out}}")
    parent = Path(shutil.copytree(dense, tmp_path / "parent"))
    (parent / "README.md").write_text("# the parent's own\n")
    make(parent, tmp_path / "tuned")
    assert [step["what"] for step in read_steps(tmp_path / "tuned")] == ["Fine-tuned"]
    cards = {path.name: path.read_text() for path in (tmp_path / "tuned").glob("README*")}
    assert cards["README.md"].startswith("# tuned\n")
    assert weights_sha256(parent) in cards["README.md"]
    assert cards["README.sft.md"] == cards["README.parent.md"] == "# the parent's own\n"


def test_a_tuning_command_that_fails_is_told(dense: Path, tmp_path: Path) -> None:
    make = pruning_stages.command(f"{sys.executable} -c 'raise SystemExit(3)' {{checkpoint}} {{out}}")
    with pytest.raises(ConfigError, match="SFT ended with status 3"):
        make(dense, tmp_path / "tuned")


@pytest.mark.parametrize("template", ["train", "train {checkpoint}", "train {out}"])
def test_a_tuning_command_must_say_from_where_to_where(template: str) -> None:
    with pytest.raises(ConfigError, match="does not say"):
        pruning_stages.command(template)
