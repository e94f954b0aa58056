"""`nearline backfill` and `nearline parity` from their command lines, without a Spark."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.summarizer import InstantSummarizer
from nearline.cli.app import app
from pipeline.featurize import Featurizer
from schemas.errors import ConfigError
from schemas.records import Op, Posting, PostingUpdate
from storage.features import FeatureStore
from storage.opening import open_store
from tests.support.orders import push

RUN = CliRunner()
Store = Callable[[str, str], str]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Makes a store of one posting with this title; gives its URL."""

    def make(name: str, title: str) -> str:
        url = f"lmdb://{tmp_path}/{name}"
        posting = Posting(title=title, description="Nights on a ward.")
        with closing(open_store(url)) as kv:
            event = PostingUpdate(posting_id="p1", version=1, op=Op.ADD, posting=posting)
            push(Featurizer(FeatureStore(kv), InstantSummarizer()), [event], 1)
        return url

    return make


def test_parity_names_each_field_that_differs_and_ends_with_status_one(store: Store) -> None:
    made = RUN.invoke(app, ["parity", store("a", "Nurse"), store("b", "Matron")])
    assert made.exit_code == 1
    found = {row["field"]: row for row in map(json.loads, made.stdout.splitlines())}
    assert set(found) == {"content_hash", "title", "input_hash", "summary_hash", "text"}
    assert (found["title"]["left"], found["title"]["right"]) == ("Nurse", "Matron")


def test_parity_of_equal_stores_ends_well(store: Store) -> None:
    made = RUN.invoke(app, ["parity", store("a", "Nurse"), store("b", "Nurse")])
    assert (made.exit_code, made.stdout) == (0, "")
    assert "1 postings, 0 of them differ" in made.stderr


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
        "import nearline.cli.backfill, nearline.cli.parity\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
