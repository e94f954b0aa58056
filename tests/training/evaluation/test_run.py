"""A whole evaluation on a tiny random checkpoint: report, table, command, and what is refused."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from nearline.cli.app import app
from schemas.errors import ConfigError
from tests.support.tiny import byte_level_tokenizer, write_checkpoint
from tests.training.evaluation.items import ITEMS, TITLES, tell
from training.evaluation import report as reports
from training.evaluation.run import baselines, evaluate, evaluate_runs
from training.evaluation.settings import BootstrapConfig, EvaluationConfig, EvaluationRequest, RankerPlace
from training.evaluation.table import WIDTH, tables

QUICK = EvaluationConfig(bootstrap=BootstrapConfig(resamples=200))


def begin(_name: str, _total: int) -> Callable[[int], None]:
    return tell


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


def test_a_report_holds_means_intervals_and_values_of_every_system(
    files: tuple[Path, Path], checkpoint: Path, tmp_path: Path
) -> None:
    request = EvaluationRequest(
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
    request = EvaluationRequest(judged=files[0], postings=(files[1],), ranker=place, baselines="bm25")
    assert json.dumps(evaluate(request, QUICK, begin)) == json.dumps(evaluate(request, QUICK, begin))


def test_the_table_fits_100_columns_and_names_every_system(
    files: tuple[Path, Path], checkpoint: Path
) -> None:
    request = EvaluationRequest(
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


def test_an_unknown_baseline_is_named() -> None:
    with pytest.raises(ConfigError, match="--baselines 'bm52' is unknown: use no-description"):
        baselines("bm25,bm52")


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
