"""What the images' processes are: their users, their end, the metrics that Prometheus is told of, Spark's own parts."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.docker.manifests import DOCKER, containers
from tests.images import network, parts
from tests.images.composed import Composed, is_buildah

pytestmark = [pytest.mark.images, pytest.mark.timeout(3600)]
#: The uid of each service's processes.
USERS = {"models": 1000, "matcher": 1000, "alert-consumer": 1000, "jobmanager": 9999, "taskmanager": 9999}


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize(("name", "user"), USERS.items())
def test_a_services_processes_run_as_the_images_user(name: str, user: int) -> None:
    users = {Path(f"/proc/{pid}").stat().st_uid for pid in network.processes(name) if not is_buildah(pid)}
    assert users == {user}


@pytest.mark.usefixtures("system")
def test_prometheus_finds_metrics_at_every_address_of_its_configuration() -> None:
    jobs = yaml.safe_load((DOCKER / "monitoring" / "prometheus.yml").read_text())["scrape_configs"]
    addresses = [address for job in jobs for one in job["static_configs"] for address in one["targets"]]
    assert len(addresses) == 5
    for address in addresses:
        assert "# TYPE" in httpx.get(f"http://{address}/metrics").raise_for_status().text, address


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("name", ["matcher", "alert-consumer", "models"])
def test_the_probes_of_its_pod_are_answered(name: str) -> None:
    (container,) = (one for one in containers() if one["name"] == name)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        url = f"http://{network.address(name)}:{ports[asked['port']]}{asked['path']}"
        assert httpx.get(url).status_code == 200, url


@pytest.mark.parametrize("name", ["matcher", "alert-consumer", "models", "taskmanager"])
def test_a_service_ends_when_it_is_asked_to_and_starts_again(system: Composed, name: str) -> None:
    assert system.stop(name, 60)
    system.start(name)
    system.await_health("jobmanager" if name == "taskmanager" else name, 900)


@pytest.mark.parametrize(
    ("name", "written"), [("matcher", ()), ("alert-consumer", ()), ("models", ("/home/nearline/.cache",))]
)
def test_a_service_with_a_read_only_disk_in_kubernetes_writes_nowhere_else(
    system: Composed, name: str, written: tuple[str, ...]
) -> None:
    """The model server's cache of kernels is in /tmp there."""
    shown = system.run(name, ["find", "/", "-xdev", "-type", "f", "-uid", "1000", "-not", "-path", "/proc/*"])
    known = (*written, "/home/nearline/.bash", "/home/nearline/.profile")
    assert [path for path in shown.stdout.splitlines() if not path.startswith(known)] == []


def test_what_is_no_setting_of_flink_ends_its_container(composed: Composed) -> None:
    entrypoint = composed.image("jobmanager")["Entrypoint"]
    script = [*entrypoint, "jobmanager"]
    broken = composed.run(
        "jobmanager", ["env", "FLINK_PROPERTIES=jobmanager.rpc.address jobmanager", *script]
    )
    assert broken.returncode != 0
    assert "write 'key: value'" in broken.stderr
    operators = composed.run(
        "jobmanager", [*entrypoint, "bash", "-c", "command -v kubernetes-jobmanager.sh envsubst"]
    )
    assert operators.stdout.splitlines() == ["/opt/flink/bin/kubernetes-jobmanager.sh", "/usr/bin/envsubst"]


def test_a_backfill_runs_in_the_spark_image(composed: Composed) -> None:
    composed.start("backfill", "/catalog/stream.jsonl", "--state", "/state", "--store", parts.STORE)
    assert composed.finish("backfill", 900) == 0, composed.log("backfill").read_text()[-3000:]
    report = _report(composed.log("backfill").read_text())
    assert (report["rows_in"] > 0, report["unexplained"]) == (True, 0)


def test_spark_starts_as_its_scheduler_for_kubernetes_asks(composed: Composed) -> None:
    (entrypoint,) = composed.image("backfill")["Entrypoint"]
    driver = ["env", "SPARK_DRIVER_BIND_ADDRESS=127.0.0.1", entrypoint, "driver", "--master", "local[1]"]
    shown = composed.run(
        "backfill", [*driver, "local:///opt/nearline/nearline/backfill_program.py", "--help"]
    )
    assert (shown.returncode, "--state" in shown.stdout) == (0, True), shown.stderr
    executor = composed.run("backfill", ["env", *EXECUTOR, entrypoint, "executor"])
    assert "KubernetesExecutorBackend" in executor.stderr
    assert "no-driver" in executor.stderr, "it looked for its driver"


EXECUTOR = (
    "SPARK_JAVA_OPT_0=-Dspark.rpc.lookupTimeout=5s",
    "SPARK_JAVA_OPT_1=-Dspark.driver.port=7078",
    "SPARK_DRIVER_URL=spark://CoarseGrainedScheduler@no-driver:7078",
    "SPARK_EXECUTOR_ID=1",
    "SPARK_EXECUTOR_CORES=1",
    "SPARK_EXECUTOR_MEMORY=256m",
    "SPARK_APPLICATION_ID=app",
    "SPARK_EXECUTOR_POD_IP=127.0.0.1",
    "SPARK_EXECUTOR_POD_NAME=executor-1",
    "SPARK_RESOURCE_PROFILE_ID=0",
)


def _report(log: str) -> dict[str, Any]:
    """The JSON object among the lines of a log."""
    found: dict[str, Any] = json.JSONDecoder().raw_decode(log[log.index('\n{\n  "') + 1 :])[0]
    return found


def test_no_image_but_the_models_has_torch(composed: Composed) -> None:
    for name, python in (
        ("matcher", "python"),
        ("jobmanager", "/opt/venv/bin/python"),
        ("backfill", "python"),
    ):
        assert composed.run(name, [python, "-c", "import torch"]).returncode != 0, name
    assert Path("/etc/hosts").read_text().count("172.30.0.") > 5
