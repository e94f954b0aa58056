"""The paper's tables 7 to 9, its serving steps and its streaming services beside kept results of benchmarks."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nearline.cli.app import app
from schemas.errors import ConfigError
from training.evaluation.paper.kept import KeptBenchmarks
from training.evaluation.paper.serving import AGAINST_RETRIEVAL, TABLE_7, TOKENIZATION, serving
from training.evaluation.paper.traffic import REPLAYED, traffic

SHIPPED = Path(__file__).parents[3] / "docs" / "benchmarks"
MACHINE = {"cores": 2, "processor": "p", "date": "2026-01-02", "commit": "abc", "command": "python -m x"}


def kept(folder: Path, name: str, tables: dict[str, Any], *findings: str) -> None:
    """A benchmark's result as `benchmarks/common/report.py` writes it."""
    result = {"name": name, "measured_on": MACHINE, "tables": tables, "findings": findings}
    (folder / f"{name}.json").write_text(json.dumps(result))


def speed(dtype: str, items: float) -> dict[str, Any]:
    return {
        "contender": "ours",
        "dtype": dtype,
        "items/s": items,
        "lowest": items - 0.5,
        "highest": items + 0.5,
    }


def text_of(folder: Path | None) -> str:
    benchmarks = KeptBenchmarks(folder)
    return "\n".join([*serving(benchmarks), *traffic(benchmarks)])


def row(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"| {start} |"))


def test_table_7_gives_levels_and_how_many_times_the_first_row_each_is(tmp_path: Path) -> None:
    dense, _, summaries = (case for *_, case in TABLE_7)
    kept(tmp_path, "engine", {dense: [speed("float32", 2.0)], summaries: [speed("float32", 9.0)]})
    text = text_of(tmp_path)
    assert "| 1,530 | 4.64 | 9 (8.5 to 9.5) | 4.50 | not measured (`engine.json`) | – |" in row(
        text, "375M, summaries"
    )
    assert "not measured (`engine.json`)" in row(text, "375M, full descriptions")
    assert "2 cores of p, 2026-01-02, commit abc" in text


def test_table_8_sets_the_gain_of_one_call_beside_the_papers(tmp_path: Path) -> None:
    kept(tmp_path, "engine", {TOKENIZATION: [{"texts": 4, "gain": "1.43 (1.36 to 1.56)", "threads": 2}]})
    assert row(text_of(tmp_path), "4") == "| 4 | 2.8 × | 1.43 (1.36 to 1.56) × |"


def test_table_9_has_a_row_for_each_kind_of_texts_and_says_what_takes_users(tmp_path: Path) -> None:
    ours = {"measure": "NDCG@10", "on": "health", "retrieval alone": 0.6, "ranked": 0.7, "change": "+17%"}
    kept(tmp_path, "retrieval", {AGAINST_RETRIEVAL: [ours, {**ours, "on": "general"}]}, "recall 0.9")
    text = text_of(tmp_path)
    assert text.count("| NDCG@10 | +5.54% | +8.45% |") == 2
    assert row(text, "poor-match rate@10").endswith("| – | not measured (`retrieval.json`) | – | – |")
    assert "not measured: it takes users" in row(text, "job sessions")
    assert "- retrieval: recall 0.9" in text


def test_the_changes_of_latency_by_the_cache_stand_in_the_papers_order(tmp_path: Path) -> None:
    changes = {"p50, change": -0.1, "mean, change": -0.2, "p90, change": -0.3, "p99, change": -0.4}
    kept(tmp_path, "score-cache", {REPLAYED: [{"cache": "ours", "hits": 0.64, **changes}]})
    text = text_of(tmp_path)
    assert "| > 50% | 64% |" in text
    assert "| -10.0% / -20.0% / -30.0% / -40.0% |" in text


def test_everything_is_told_not_measured_where_nothing_was_kept() -> None:
    text = text_of(None)
    for name in ("engine", "model-server", "retrieval", "score-cache", "overload", "scheduling", "search"):
        assert f"not measured (`{name}.json`)" in text


def test_the_results_in_this_repository_have_every_table_that_the_page_reads() -> None:
    text = text_of(SHIPPED)
    for name in ("engine", "model-server", "overload", "scheduling"):
        assert f"not measured (`{name}.json`)" not in text
    assert text.count("not measured (`score-cache.json`)") == 1, (
        "the paper's nearline latency has no counterpart"
    )


@pytest.mark.parametrize("content", ["{", '{"tables": {}}', "[]"])
def test_a_file_that_is_no_result_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "engine.json").write_text(content)
    with pytest.raises(ConfigError, match=r"engine\.json is no result of a benchmark"):
        text_of(tmp_path)


def test_the_command_needs_nothing_but_the_kept_results(tmp_path: Path) -> None:
    out = tmp_path / "paper.md"
    made = CliRunner().invoke(app, ["report", "paper", "--benchmarks", str(SHIPPED), "--out", str(out)])
    assert made.exit_code == 0, made.output
    text = out.read_text(encoding="utf-8")
    assert [text.count(f"## Table {n}:") for n in range(1, 10)] == [1] * 9
    refused = CliRunner().invoke(
        app, ["report", "paper", "--benchmarks", str(tmp_path / "x"), "--out", str(out)]
    )
    assert "--benchmarks" in str(refused.exception)
