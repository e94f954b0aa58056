"""`nearline prune …` end to end on a small random checkpoint."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.engine.checkpoint import read_shape
from nearline.cli.app import app
from tests.support.tiny import byte_level_tokenizer, write_checkpoint

ROWS = [{"id": f"p{n}", "title": f"welder {n}", "description": f"steel work {n} " * 4} for n in range(12)]
JUDGED = [{"query": "steel", "items": [{"id": f"p{n}", "grade": n % 5} for n in range(8)]}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prune")
    write_checkpoint(path / "dense", byte_level_tokenizer())
    for name, rows in (("postings", ROWS), ("judged", JUDGED)):
        (path / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def nearline(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stderr


def test_mlp_says_its_progress_and_writes_a_checkpoint(folder: Path, tmp_path: Path) -> None:
    said = nearline(
        "prune", "mlp", folder / "dense", "--out", tmp_path / "small", "--keep", 0.25,
        "--calibration", folder / "postings.jsonl", "--queries", folder / "judged.jsonl", "--name", "ranker@2",
    )  # fmt: skip
    assert "layer 1 of 2: kept 12 of 48" in said
    assert read_shape(tmp_path / "small").mlp == 12
    assert json.loads((tmp_path / "small" / "nearline.json").read_text()) == {"name": "ranker@2"}


def test_layers_drops_the_blocks_that_are_named(folder: Path, tmp_path: Path) -> None:
    nearline("prune", "layers", folder / "dense", "--drop", "0", "--out", tmp_path / "small")
    assert read_shape(tmp_path / "small").layers == 1


def test_scan_writes_what_each_block_is_worth(folder: Path, tmp_path: Path) -> None:
    said = nearline(
        "prune", "scan", folder / "dense", "--judged", folder / "judged.jsonl",
        "--postings", folder / "postings.jsonl", "--report", tmp_path / "reports" / "scan.json",
    )  # fmt: skip
    report = json.loads((tmp_path / "reports" / "scan.json").read_text())
    assert len(report["without"]) == len(report["changes"]) == 2
    assert f"whole model: {report['whole']:.4f}" in said


def test_recipe_prunes_and_drops(folder: Path, tmp_path: Path) -> None:
    nearline(
        "prune", "recipe", folder / "dense", "--out", tmp_path / "small", "--drop", "last:1",
        "--calibration", folder / "postings.jsonl", "--name", "ranker@7",
    )  # fmt: skip
    assert (tmp_path / "small" / "README.md").read_text().startswith("# ranker@7\n")
    assert json.loads((tmp_path / "small" / "nearline.json").read_text()) == {"name": "ranker@7"}
    assert (read_shape(tmp_path / "small").layers, read_shape(tmp_path / "small").mlp) == (1, 24)
    assert {path.name for path in (tmp_path / "small.stages").iterdir()} == {
        "1-mlp",
        "2-drop",
        "recipe.json",
    }
