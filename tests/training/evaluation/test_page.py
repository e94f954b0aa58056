"""The page of the paper's tables beside ours: what was measured, what was not, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from nearline.cli.app import app
from schemas.errors import ConfigError
from training.evaluation import report as reports
from training.evaluation.paper.measured import read_tables
from training.evaluation.paper.page import write_page
from training.evaluation.paper.tables import TABLES, block_names
from training.evaluation.report import build
from training.evaluation.settings import BootstrapConfig, EvaluationConfig
from training.evaluation.systems import SystemResult
from training.judging.records import JudgedQuery

CONFIG = EvaluationConfig(bootstrap=BootstrapConfig(resamples=300))
BASE = np.random.default_rng(0).uniform(0.4, 0.9, (40, 3))


def report(runs: Path, stem: str, change: float, *, judged: str = "f00", queries: int = 40) -> None:
    asked = [
        JudgedQuery(query_id=f"q{n}", query="x", posting_ids=("a", "b"), labels=(4, 0), soft_labels=(1, 0))
        for n in range(queries)
    ]
    systems = [
        SystemResult(name="ranker", settings={"parameters": 1234567}, figures=BASE[:queries] + change),
        SystemResult(name="no-description", settings={}, figures=BASE[:queries] - 0.05),
    ]
    inputs = [{"role": "judged", "name": "judged.parquet", "bytes": 1, "sha256": judged}]
    settings: dict[str, Any] = {"inputs": inputs, "notes": []}
    reports.write(build(asked, systems, CONFIG, settings), runs / f"{stem}.json")


def page(runs: Path) -> str:
    write_page(read_tables(runs), runs / "ranker.md")
    return (runs / "ranker.md").read_text(encoding="utf-8")


def row(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"| {start} |"))


def test_a_row_stands_beside_the_papers_with_the_interval_of_its_paired_change(tmp_path: Path) -> None:
    report(tmp_path, "dense", 0.0)
    report(tmp_path, "mlp50", -0.01)
    found = row(page(tmp_path), "50% MLP")
    assert "| 1,234,567 |" in found
    assert "| -0.0100 [-0.0100, -0.0100] |" in found
    assert found.endswith("| 464M | -0.0095 |")
    assert (tmp_path / "ranker.png").stat().st_size > 1000


def test_what_was_not_measured_is_told_so_and_not_invented(tmp_path: Path) -> None:
    report(tmp_path, "dense", 0.0)
    text = page(tmp_path)
    assert "not measured (`mlp50-sft.json`) | – | –" in row(text, "50% MLP + SFT")
    assert "not measured (`scan.json`" in text


def test_without_the_dense_report_there_are_values_but_no_changes(tmp_path: Path) -> None:
    report(tmp_path, "mlp50", -0.01)
    text = page(tmp_path)
    assert "no change can be given" in text
    assert row(text, "50% MLP").split("|")[4:6] == [" – ", " – "]


def test_the_row_without_description_comes_from_the_dense_report(tmp_path: Path) -> None:
    report(tmp_path, "dense", 0.0)
    assert "| -0.0500 [-0.0500, -0.0500] |" in row(page(tmp_path), "dense, no description")


def test_removed_blocks_stand_beside_those_of_the_paper(tmp_path: Path) -> None:
    scan = {"whole": 0.6, "without": [0.3, 0.55, 0.6]}
    (tmp_path / "scan.json").write_text(json.dumps(scan))
    text = page(tmp_path)
    assert row(text, "0").startswith("| 0 | -0.3000 (no interval")
    assert "first -0.3356" in row(text, "0")
    per_query = {"whole": [0.6, 0.6], "without": [[0.2, 0.4], [0.55, 0.55], [0.6, 0.6]]}
    (tmp_path / "scan.json").write_text(json.dumps(scan | {"per_query": per_query}))
    assert row(page(tmp_path), "0").startswith("| 0 | -0.3000 [-0.4000, -0.2000] |")


def test_a_blocks_counterparts_are_counted_from_both_ends() -> None:
    assert block_names(0, 28) == {"first": -0.3356}
    assert block_names(9, 28) == {"tenth": -0.0166}
    assert block_names(26, 28) == {"one before last": -0.0004}
    assert block_names(12, 28) == {}
    assert set(block_names(2, 3)) == {"third", "last"}


def test_a_manifest_gives_rows_other_files_and_titles_and_the_page_a_note(tmp_path: Path) -> None:
    report(tmp_path, "dense", 0.0)
    report(tmp_path, "seventh", -0.02)
    given = {"note": "Two cores.", "files": {"mlp50": "seventh.json"}, "titles": {"mlp50": "half"}}
    (tmp_path / "ranker.json").write_text(json.dumps(given))
    text = page(tmp_path)
    assert "-0.0200" in row(text, "half")
    assert "Two cores." in text


def test_tables_1_to_3_hold_the_papers_changes() -> None:
    changes = {table.number: [row.paper_change for row in table.rows if row.paper_change] for table in TABLES}
    assert changes["Table 1"] == [-0.0095, -0.0046]
    assert changes["Table 3"] == [-0.0079, -0.0074, -0.0080]


@pytest.mark.parametrize(
    ("name", "text"), [("dense.json", "{"), ("dense.json", "[]"), ("ranker.json", '{"x": 1}')]
)
def test_a_file_that_is_none_of_ours_is_named(tmp_path: Path, name: str, text: str) -> None:
    report(tmp_path, "mlp50", 0.0)
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=name):
        read_tables(tmp_path)


@pytest.mark.parametrize("text", ["{", "{}", '{"whole": 1, "without": 2}', '{"whole": 1, "without": ["x"]}'])
def test_a_scan_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "scan.json").write_text(text)
    with pytest.raises(ConfigError, match=r"scan\.json is not a report of `nearline prune scan --report`"):
        read_tables(tmp_path)


@pytest.mark.parametrize("other", [{"judged": "abc"}, {"queries": 30}])
def test_reports_on_other_queries_are_not_set_side_by_side(tmp_path: Path, other: dict[str, Any]) -> None:
    report(tmp_path, "dense", 0.0)
    report(tmp_path, "mlp50", 0.0, **other)
    with pytest.raises(ConfigError, match=r"mlp50\.json was measured on other queries"):
        read_tables(tmp_path)


def test_a_folder_without_reports_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds none of dense\.json"):
        read_tables(tmp_path)


def test_the_command_writes_page_and_plot(tmp_path: Path) -> None:
    report(tmp_path, "dense", 0.0)
    out = tmp_path / "docs" / "page.md"
    result = CliRunner().invoke(app, ["report", "ranker", "--runs", str(tmp_path), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert out.read_text(encoding="utf-8").startswith("# The ranker beside the paper")
    assert out.with_suffix(".png").is_file()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", "ranker", "--runs", str(tmp_path / "none")])
    assert isinstance(result.exception, ConfigError)
    assert "no such folder" in str(result.exception)
