"""The command lines of `spark-submit`, and the settings that they carry."""

import subprocess
import sys
import zipfile
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.settings import BackfillMode, BackfillSettings
from batch.submit import command, printed, ship
from schemas.arguments import parse
from schemas.errors import ConfigError
from schemas.events import EventFormat
from schemas.settings import to_argv
from schemas.times import DateOrder

SETTINGS = BackfillSettings(
    catalog=("hdfs://n/catalog",),
    store_url="couchbase://c/features",
    mode=BackfillMode.STALE,
    state="hdfs://n/state",
    parallelism=6,
)
TOLD = [
    "--store",
    "couchbase://c/features",
    "--mode",
    "stale",
    "--state",
    "hdfs://n/state",
    "--parallelism",
    "6",
]


def options_of(line: list[str]) -> dict[str, str]:
    """The Spark settings of a command."""
    pairs = [line[i + 1] for i, part in enumerate(line) if part == "--conf"]
    return dict(pair.split("=", 1) for pair in pairs)


def test_yarn_gets_an_environment_executors_and_the_zip() -> None:
    line = command(SETTINGS, "yarn", "dist/backfill.zip")
    assert line[0].endswith("bin/spark-submit")
    assert line[1:3] == ["--master", "yarn"]
    assert line[line.index("--py-files") + 1] == "dist/backfill.zip"
    found = options_of(line)
    assert found["spark.executor.instances"] == "6"
    assert found["spark.speculation"] == "false"
    assert found["spark.yarn.dist.archives"].endswith("#environment")
    assert found["spark.pyspark.python"] == "environment/bin/python"
    assert line[-len(TOLD) - 2 :] == [line[-len(TOLD) - 2], *TOLD, "hdfs://n/catalog"]
    assert line[-len(TOLD) - 2].endswith("nearline/backfill_program.py")


def test_kubernetes_runs_what_its_image_holds() -> None:
    line = command(
        SETTINGS, "k8s://https://k:6443", "dist/backfill.zip", conf={"spark.kubernetes.namespace": "jobs"}
    )
    assert line[1:5] == ["--master", "k8s://https://k:6443", "--deploy-mode", "cluster"]
    assert "--py-files" not in line
    assert "local:///opt/nearline/nearline/backfill_program.py" in line
    found = options_of(line)
    assert found["spark.kubernetes.container.image"]
    assert found["spark.kubernetes.namespace"] == "jobs"
    assert found["spark.executorEnv.PYTHONPATH"] == "/opt/nearline"


def test_a_standalone_master_gives_no_more_cores_than_tasks_may_run_at_once() -> None:
    assert options_of(command(SETTINGS, "spark://m:7077", "z.zip"))["spark.cores.max"] == "6"


def test_a_master_that_spark_does_not_have_is_named() -> None:
    with pytest.raises(ConfigError, match="mesos"):
        command(SETTINGS, "mesos://m", "z.zip")


def test_a_store_on_one_machine_is_refused_with_workers_on_others() -> None:
    settings = BackfillSettings(catalog=("c",), store_url="lmdb:///s")
    with pytest.raises(ConfigError, match="one machine"):
        command(settings, "yarn", "z.zip")
    assert command(settings, "local[2]", "z.zip")


def test_the_printed_command_is_one_a_shell_reads_back() -> None:
    line = ["spark-submit", "--conf", "a=b c", "it's"]
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {printed(line)}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == line


@given(
    mode=st.sampled_from(BackfillMode),
    sample=st.floats(0.01, 1.0),
    chunk_rows=st.integers(1, 9999),
    dry_run=st.booleans(),
    report=st.sampled_from(["", "r.json", "a folder/r.json"]),
    publish=st.sampled_from(["", "b1:9092,b2:9092"]),
)
def test_the_command_line_carries_every_setting(
    mode: BackfillMode, sample: float, chunk_rows: int, dry_run: bool, report: str, publish: str
) -> None:
    settings = BackfillSettings(
        catalog=("a", "b"),
        store_url="lmdb:///s",
        mode=mode,
        sample=sample,
        chunk_rows=chunk_rows,
        dry_run=dry_run,
        report=report,
        publish=publish,
    )
    assert parse(BackfillSettings, to_argv(settings), prog="backfill") == settings


EVERY_SETTING = BackfillSettings(
    catalog=("a", "b"),
    store_url="lmdb:///s",
    summarizer_url="http://m:1",
    tokenizer_dir="tokenizer",
    embedder_url="http://m:2",
    mode=BackfillMode.STALE,
    sample=0.5,
    dry_run=True,
    assume_rate_per_s=2.0,
    state="state",
    report="r.json",
    dead_letters="letters",
    publish="b:9092",
    schema_registry="http://r:1",
    parallelism=3,
    chunk_rows=7,
    split_mib=5,
    concurrency=9,
    rate_per_s=1.5,
    deadline_s=2.5,
    patience_s=3.5,
    reading=EventFormat(date_order=DateOrder.DMY, id_prefix="a-", source_field="feed"),
    max_ahead_s=60.0,
)


def test_no_setting_is_lost_on_its_way_through_the_command_line() -> None:
    defaults = [
        each.name for each in fields(EVERY_SETTING) if getattr(EVERY_SETTING, each.name) == each.default
    ]
    assert defaults == []
    assert parse(BackfillSettings, to_argv(EVERY_SETTING), prog="backfill") == EVERY_SETTING


def test_the_zip_alone_gives_a_worker_its_code(tmp_path: Path) -> None:
    archive = ship(tmp_path / "backfill.zip")
    code = "import batch.tasks, nearline.backfill_program; print(batch.tasks.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(archive)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(archive))
    with zipfile.ZipFile(archive) as names:
        assert not any(name.startswith(("training/", "benchmarks/", "tests/")) for name in names.namelist())
