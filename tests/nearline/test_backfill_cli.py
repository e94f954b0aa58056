"""`nearline backfill` from its command line, without a Spark."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nearline.cli.app import app
from schemas.errors import ConfigError

RUN = CliRunner()


def test_submit_prints_a_command_that_carries_the_options(tmp_path: Path) -> None:
    made = RUN.invoke(
        app,
        [
            *("backfill", "submit", "hdfs://n/catalog", "--master", "yarn", "--store", "couchbase://c/f"),
            *("--mode", "stale", "--conf", "spark.executor.memory=2g", "--print"),
            *("--pyfiles", str(tmp_path / "code.zip"), "--state", "hdfs://n/state"),
        ],
    )
    line = shlex.split(made.stdout)
    assert {"spark.executor.memory=2g", "hdfs://n/catalog", "--mode", "stale"} <= set(line)
    assert f"spark.pyspark.driver.python={sys.executable}" in line
    assert (tmp_path / "code.zip").is_file()


@pytest.mark.parametrize("conf", ["novalue", ""])
def test_a_spark_setting_without_a_value_is_an_error(conf: str, tmp_path: Path) -> None:
    made = RUN.invoke(
        app,
        [
            *("backfill", "submit", "c", "--master", "yarn", "--store", "couchbase://c/f", "--print"),
            *("--pyfiles", str(tmp_path / "code.zip"), "--conf", conf),
        ],
    )
    assert isinstance(made.exception, ConfigError)


@pytest.mark.parametrize("arguments", [["catalog.jsonl"], ["--mode", "all", "catalog.jsonl"]])
def test_a_catalog_that_is_not_there_is_named_wherever_it_stands(
    arguments: list[str], tmp_path: Path
) -> None:
    made = RUN.invoke(
        app, ["backfill", *arguments, "--store", f"lmdb://{tmp_path}/s", "--state", str(tmp_path)]
    )
    assert isinstance(made.exception, ConfigError)
    assert "catalog.jsonl" in str(made.exception)


def test_the_help_of_both_forms_names_the_modes() -> None:
    assert "submit" in RUN.invoke(app, ["backfill", "--help"]).stdout
    assert "missing" in RUN.invoke(app, ["backfill", "submit", "--help"], env={"COLUMNS": "200"}).stdout


def test_the_command_line_needs_no_spark_until_a_backfill_runs() -> None:
    code = (
        "import sys\n"
        "for name in ('pyarrow', 'pyspark'): sys.modules[name] = None\n"
        "import nearline.cli.backfill, nearline.cli.store\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
