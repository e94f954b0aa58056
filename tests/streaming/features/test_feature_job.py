"""The feature job's settings, its command line and the zip that ships it."""

import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from pipeline.pyfiles import SHARED, build_zip
from schemas.errors import ConfigError
from streaming.features.settings import FeatureJobSettings, check_store, parse
from streaming.features.worker import FeatureWorker
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import DLQ

ARGS = ("--bootstrap", "k:1", "--store", "lmdb:///s", "--summarizer", "instant:")
SETTINGS = FeatureJobSettings(kafka=KafkaSettings(), store_url="lmdb:///s", summarizer_url="instant:")
OURS = "nearline-job-search"


def test_one_bundle_is_one_arrow_batch() -> None:
    options = parse([*ARGS, "--batch-size", "64"], {}).flink()
    sizes = (options["python.fn-execution.bundle.size"], options["python.fn-execution.arrow.batch.size"])
    assert sizes == ("64", "64")


def test_an_outage_may_fail_checkpoints_and_restarts_for_ever_with_a_bounded_pause() -> None:
    options = SETTINGS.flink()
    assert options["execution.checkpointing.tolerable-failed-checkpoints"] == "1000"
    assert options["restart-strategy.type"] == "exponential-delay"
    assert options["restart-strategy.exponential-delay.max-backoff"] == "60000 ms"


def test_a_new_group_reads_from_the_beginning_and_an_old_one_from_its_offsets() -> None:
    source = SETTINGS.source()
    assert source["scan.startup.mode"] == "group-offsets"
    assert source["properties.auto.offset.reset"] == "earliest"


@pytest.mark.parametrize(("batch", "poll"), [("64", "500"), ("4000", "4000")])
def test_a_poll_of_kafka_brings_a_whole_batch(batch: str, poll: str) -> None:
    assert parse([*ARGS, "--batch-size", batch], {}).source()["properties.max.poll.records"] == poll


def test_the_producer_can_send_the_largest_dead_letter() -> None:
    assert int(SETTINGS.sink()["properties.max.request.size"]) == DLQ.max_bytes


def test_a_login_names_the_module_inside_flinks_own_kafka_client() -> None:
    kafka = {"SECURITY_PROTOCOL": "SASL_PLAINTEXT", "SASL_USERNAME": "u", "SASL_PASSWORD": "p"}
    settings = parse(ARGS, {f"NEARLINE_KAFKA_{name}": value for name, value in kafka.items()})
    for options in (settings.source(), settings.sink()):
        assert options["properties.sasl.jaas.config"].startswith("org.apache.flink.kafka.shaded.")


def test_the_command_line_defaults_are_the_settings_defaults() -> None:
    assert parse(ARGS, {}) == FeatureJobSettings(
        kafka=KafkaSettings(bootstrap="k:1"), store_url="lmdb:///s", summarizer_url="instant:"
    )


@pytest.mark.parametrize(
    ("option", "value"), [("--deadline-s", "61"), ("--batch-size", "0"), ("--parallelism", "-1")]
)
def test_a_setting_that_cannot_work_is_named(option: str, value: str) -> None:
    with pytest.raises(ConfigError, match=option[2:].replace("-", "_")):
        parse([*ARGS, option, value], {})


@pytest.mark.timeout(60)
def test_a_setting_that_cannot_work_ends_the_program_with_one_line_and_status_2() -> None:
    command = [sys.executable, "-m", "streaming.feature_job", *ARGS, "--deadline-s", "61"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith("feature job: deadline_s must be above 0 and at most 60")


@pytest.mark.parametrize(("target", "address"), [("remote", "10.0.0.7"), ("kubernetes-session", "localhost")])
def test_a_store_of_one_machine_is_refused_for_a_cluster_of_many(target: str, address: str) -> None:
    with pytest.raises(ConfigError, match="lmdb:///s is on one machine"):
        check_store("lmdb:///s", target, address)


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1"])
def test_a_store_of_one_machine_suits_a_local_cluster(address: str) -> None:
    check_store("lmdb:///s", "remote", address)


def test_a_shared_store_suits_any_cluster() -> None:
    check_store("couchbase://c", "remote", "10.0.0.7")


@pytest.mark.parametrize("url", ["ftp://x", "http://127.0.0.1:1"])
def test_a_summarizer_that_cannot_work_is_named_before_anything_is_opened(url: str, tmp_path: Path) -> None:
    settings = parse(["--bootstrap", "k:1", "--store", f"lmdb://{tmp_path}/s", "--summarizer", url], {})
    with pytest.raises(ConfigError, match=url):
        FeatureWorker(settings.worker())
    assert not (tmp_path / "s").exists()


@pytest.mark.timeout(60)
def test_the_zip_alone_gives_a_worker_its_code_and_its_contracts(tmp_path: Path) -> None:
    archive = build_zip(tmp_path / "pyfiles.zip", "streaming")
    code = (
        "import streaming.features.worker, schemas.codec as c\n"
        "from schemas.records import Op, PostingUpdate\n"
        "u = PostingUpdate(posting_id='p', version=1, op=Op.CLOSE)\n"
        "assert c.Codec().decode(PostingUpdate, c.Codec().encode(u)) == u\n"
        "print(streaming.features.worker.__file__)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(archive)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(archive))


def test_the_zip_holds_no_weights_and_is_the_same_for_the_same_sources(tmp_path: Path) -> None:
    first, second = build_zip(tmp_path / "a.zip", "streaming"), build_zip(tmp_path / "b.zip", "streaming")
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert {Path(name).suffix for name in archive.namelist()} == {".py", ".avsc"}


def test_no_installed_distribution_owns_one_of_our_root_names() -> None:
    owners = packages_distributions()
    roots = (*SHARED, "streaming", "batch", "training", "nearline", "benchmarks")
    assert {root: set(owners.get(root, [])) - {OURS} for root in roots} == {root: set() for root in roots}
