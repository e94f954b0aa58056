"""The page of the paper's tables 1 to 6 beside ours: made-up reports in, rows out; what is missing is told so."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from nearline.cli.app import app
from schemas.errors import ConfigError
from training.evaluation import report as reports
from training.evaluation.compression.comparing import cliff, compared, pairs
from training.evaluation.compression.measured import Lengths, Measured
from training.evaluation.compression.published import TABLE_4, TABLE_5
from training.evaluation.compression.results import KIND, VERSION, write
from training.evaluation.paper.whole_page import write_whole_page
from training.evaluation.report import build
from training.evaluation.settings import BootstrapConfig, EvaluationConfig
from training.evaluation.systems import SystemResult
from training.judging.records import JudgedQuery

BOOTSTRAP = BootstrapConfig(resamples=200)
BASE = np.random.default_rng(0).uniform(0.4, 0.9, (20, 3))


def made_up(runs: Path, stem: str, changes: dict[str, float], judged: str = "f00") -> None:
    """A report of `nearline evaluate --summaries` in which each way changes every query by so much."""
    asked = [
        JudgedQuery(query_id=f"q{n}", query="x", posting_ids=("a", "b"), labels=(4, 0), soft_labels=(1, 0))
        for n in range(len(BASE))
    ]
    found = [SystemResult(name=name, settings={}, figures=BASE + change) for name, change in changes.items()]
    inputs = [{"role": "judged", "name": "judged.parquet", "bytes": 1, "sha256": judged}]
    settings: dict[str, Any] = {"inputs": inputs, "notes": [], "share": 0.07}
    report = build(asked, found, EvaluationConfig(bootstrap=BOOTSTRAP), settings)
    for system in report["systems"]:
        system["summaries"] = {"saved_p50": 0.93, "saved_p99": 0.94, "kept": 0.07}
    reports.write(report, runs / f"{stem}.json")


def measured(name: str, change: float, share: float = 0.07, saved: float = 0.93) -> Measured:
    ndcg = BASE[:, 0] + change
    lengths = Lengths(saved_p50=saved, saved_p99=saved, kept=1 - saved)
    return Measured(
        ranker="big", name=name, share=share, ndcg_Q=ndcg, kl_Q=np.full(len(ndcg), 0.1), lengths=lengths
    )


def made_up_sweep(runs: Path) -> None:
    """The results of a sweep of two rows, of which the paper has one."""
    found = [
        measured("raw", 0.0, 1.0, 0.0),
        measured("start", -0.03),
        measured("gspo-p2-w0.4", -0.01),
        measured("grpo-p2-w7", -0.02),
    ]
    kinds = {"raw": "raw", "start": "start"}
    rows = [
        {"name": "gspo-p2-w0.4", "algorithm": "gspo", "penalty": "p2", "w": 0.4, "seeds": [1, 2]},
        {"name": "grpo-p2-w7", "algorithm": "grpo", "penalty": "p2", "w": 7.0, "seeds": [1]},
    ]
    systems = [
        {**row, "kind": kinds.get(row["name"], "row")} for row in compared(found, ("start",), BOOTSTRAP)
    ]
    whole = {"kind": KIND, "version": VERSION, "query_ids": ["q"], "rankers": ["big"], "share": 0.07}
    cliffs = [{"name": "start", "ranker": "big", "cliff": None}]
    settings = {"k": 10, "resamples": 200}
    write(
        {**whole, "rows": rows, "systems": systems, "cliffs": cliffs, "settings": settings, "runs": []},
        runs / "sweep.json",
    )


def page(runs: Path) -> str:
    write_whole_page(runs, runs / "paper.md")
    return (runs / "paper.md").read_text(encoding="utf-8")


def row(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"| {start} |"))


def test_each_published_row_of_table_4_stands_beside_ours_or_is_told_not_measured(tmp_path: Path) -> None:
    made_up(tmp_path, "summaries", {"raw": 0.0, "none": -0.05, "lead": -0.04, "best": -0.01})
    text = page(tmp_path)
    found = row(text, "no item description (`none`)")
    assert "| -0.0500 [-0.0500, -0.0500]* | 93.0% / 94.0% | -0.090 | 100% |" in found
    assert "not measured (`summaries.json`) | – | -0.027 | 74% |" in row(text, "YAML prompt (`yaml`)")
    assert row(text, "`lead`").endswith("| – | – |")


def test_each_published_row_of_table_5_stands_beside_the_sweeps_and_new_rows_follow(tmp_path: Path) -> None:
    made_up_sweep(tmp_path)
    text = page(tmp_path)
    found = row(text, "GSPO | P2 | 0.4")
    assert "| 2 | -0.0100 [-0.0100, -0.0100]* | 93.0% / 93.0% | +0.0200 [+0.0200, +0.0200]* |" in found
    assert found.endswith("| -0.020 | 93% † |")
    assert "not measured (`sweep.json`)" in row(text, "Dr. GRPO | P1 | 0.05")
    assert row(text, "GRPO | P2 | 7").endswith("| – | – |")
    assert (tmp_path / "paper-frontier.png").read_bytes().startswith(b"\x89PNG")


def test_table_6_has_changes_to_the_dense_ranker_on_raw_text(tmp_path: Path) -> None:
    made_up(tmp_path, "summaries", {"raw": 0.0, "best": -0.01})
    made_up(tmp_path, "summaries-pruned", {"raw": -0.02, "best": -0.03})
    text = page(tmp_path)
    assert "| -0.0300 [-0.0300, -0.0300]* | 0.8786 | -0.0164 |" in row(
        text, "pruned | raw text | summaries of `best`"
    )
    assert "not measured (`summaries-pruned-sft.json`)" in row(text, "pruned | summaries | summaries")


def test_tables_1_to_3_stand_on_the_same_page(tmp_path: Path) -> None:
    made_up_sweep(tmp_path)
    (tmp_path / "scan.json").write_text(json.dumps({"whole": 0.6, "without": [0.3, 0.55, 0.6]}))
    text = page(tmp_path)
    assert "first -0.3356" in row(text, "0")
    assert "not measured (`mlp50.json`)" in row(text, "50% MLP")


def test_reports_on_other_queries_are_not_set_side_by_side(tmp_path: Path) -> None:
    made_up(tmp_path, "summaries", {"raw": 0.0})
    made_up(tmp_path, "summaries-pruned", {"raw": 0.0}, judged="abc")
    with pytest.raises(ConfigError, match=r"summaries-pruned\.json was measured on other queries"):
        page(tmp_path)


@pytest.mark.parametrize("name", ["summaries.json", "sweep.json"])
def test_a_file_that_is_no_report_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"kind": "other"}')
    with pytest.raises(ConfigError, match=name):
        page(tmp_path)


def test_the_command_writes_the_page_and_refuses_a_folder_without_reports(tmp_path: Path) -> None:
    out = tmp_path / "page.md"
    empty = CliRunner().invoke(app, ["report", "paper", "--runs", str(tmp_path), "--out", str(out)])
    assert isinstance(empty.exception, ConfigError)
    assert "holds none of summaries.json" in str(empty.exception)
    made_up(tmp_path, "summaries", {"raw": 0.0})
    made = CliRunner().invoke(app, ["report", "paper", "--runs", str(tmp_path), "--out", str(out)])
    assert made.exit_code == 0, made.output
    assert out.read_text(encoding="utf-8").startswith("# The paper's tables beside ours")


def test_published_rows_are_the_papers() -> None:
    assert [(row.change, row.saved) for row in TABLE_4] == [
        (-0.09, 1.0), (-0.005, 0.16), (-0.025, 0.52), (-0.027, 0.74), (-0.015, 0.61),
    ]  # fmt: skip
    assert [(row.w, row.change, row.saved) for row in TABLE_5 if row.algorithm == "gspo"] == [
        (0.3, -0.017, 0.91), (0.4, -0.020, 0.93), (1.0, -0.022, 0.95),
    ]  # fmt: skip
    assert len(TABLE_5) == 13


def test_every_two_ways_are_compared_on_the_same_queries() -> None:
    found = pairs([measured("lead", -0.03), measured("idf", -0.01), measured("best", 0.0)], BOOTSTRAP)
    assert [(pair["name"], pair["minus"]) for pair in found] == [
        ("idf", "lead"),
        ("best", "lead"),
        ("best", "idf"),
    ]
    assert found[1]["ndcg"]["mean"] == pytest.approx(0.03)
    assert found[1]["ndcg"]["excludes_zero"]
    assert found[1]["kl"]["mean"] == 0


def test_the_cliff_is_the_steepest_fall_whose_interval_excludes_zero() -> None:
    steps = [
        measured("best", change, share, saved)
        for share, saved, change in (
            (0.3, 0.7, 0.0),
            (0.1, 0.9, -0.02),
            (0.05, 0.95, -0.03),
            (0.02, 0.98, -0.09),
        )
    ]
    found = cliff(steps, BOOTSTRAP)
    assert found is not None
    assert (found.saved_from, found.saved_to) == (0.95, 0.98)
    assert found.change.mean == pytest.approx(-0.06)
    assert cliff([measured("best", 0.0, 0.3, 0.7), measured("best", 0.0, 0.1, 0.9)], BOOTSTRAP) is None
