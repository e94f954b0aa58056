"""Every pod of the manifests keeps Kubernetes' restricted pod security standard and sees no variables of services."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.docker.manifests import DOCKER, objects, of_kind

#: The users of the images.
USERS = {"consumers": 1000, "models": 1000, "flink": 9999, "spark": 185}
READ_ONLY = {"topics", "matcher", "alert-consumer", "search", "models"}


class Pod(NamedTuple):
    """What runs, from which image, and the pod's `spec`."""

    name: str
    image: str
    spec: dict[str, Any]


def pods() -> Iterator[Pod]:
    """Every pod of the manifests."""
    for one in objects():
        spec = one.get("spec", {}).get("template", {}).get("spec")
        if spec:
            yield Pod(one["metadata"]["name"], spec["containers"][0]["image"], spec)
    flink, spark = of_kind("FlinkDeployment")["spec"], of_kind("SparkApplication")["spec"]
    yield Pod("feature-job", flink["image"], flink["podTemplate"]["spec"])
    for part in ("driver", "executor"):
        yield Pod(part, spark["image"], spark[part]["template"]["spec"])


PODS = list(pods())
EVERY_POD = pytest.mark.parametrize("pod", PODS, ids=lambda pod: pod.name)


def test_there_are_pods() -> None:
    assert {pod.name for pod in PODS} == READ_ONLY | {"feature-job", "driver", "executor"}


@EVERY_POD
def test_a_pod_runs_as_the_images_user_by_number_and_not_as_root(pod: Pod) -> None:
    wanted = USERS[pod.image.removeprefix("nearline-")]
    security = pod.spec["securityContext"]
    assert (security["runAsNonRoot"], security["runAsUser"]) == (True, wanted)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}


@EVERY_POD
def test_a_container_has_no_rights_that_it_does_not_use(pod: Pod) -> None:
    for container in pod.spec["containers"]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security.get("readOnlyRootFilesystem", False) is (pod.name in READ_ONLY)


@EVERY_POD
def test_a_service_of_the_namespace_sets_no_variable_in_a_pod(pod: Pod) -> None:
    assert pod.spec["enableServiceLinks"] is False


@pytest.mark.parametrize(("image", "user"), USERS.items())
def test_an_images_user_is_a_number(image: str, user: int) -> None:
    lines = (DOCKER / f"{image}.Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == [f"USER {user}:{user}"]


def test_whoever_talks_to_kafka_has_the_secret_with_its_login() -> None:
    asking = [
        container
        for pod in PODS
        for container in pod.spec["containers"]
        if "$(BOOTSTRAP)" in container.get("args", ())
    ]
    assert len(asking) == 4
    for container in asking:
        assert {"secretRef": {"name": "nearline"}} in container["envFrom"]


def test_a_loop_that_stands_still_fails_its_liveness_probe() -> None:
    found = {
        pod.name: pod.spec["containers"][0]["livenessProbe"]["httpGet"]["path"]
        for pod in PODS
        if "livenessProbe" in pod.spec["containers"][0]
    }
    assert found == {"matcher": "/live", "alert-consumer": "/live", "search": "/live", "models": "/health"}


def test_a_rolling_update_waits_until_a_new_pod_works() -> None:
    found = {
        pod.name: pod.spec["containers"][0]["readinessProbe"]["httpGet"]["path"]
        for pod in PODS
        if "readinessProbe" in pod.spec["containers"][0]
    }
    assert found == {"matcher": "/ready", "alert-consumer": "/ready", "search": "/ready", "models": "/health"}


def test_a_drain_takes_one_pod_of_each_service_at_a_time() -> None:
    budgets = {
        one["metadata"]["name"]: one["spec"] for one in objects() if one["kind"] == "PodDisruptionBudget"
    }
    served = {
        one["metadata"]["name"]: one["spec"]
        for one in objects()
        if one["kind"] in {"StatefulSet", "Deployment"}
    }
    assert budgets.keys() == served.keys() == {"matcher", "alert-consumer", "search", "models"}
    for name, budget in budgets.items():
        assert budget["selector"] == served[name]["selector"]
        assert served[name]["replicas"] > 1
