"""The compose file keeps its data, logs in as users that exist, and starts nothing that `up --wait` fails on."""

from typing import Any

import pytest

from tests.docker.manifests import services

SERVICES = services()
STARTED = {name: one for name, one in SERVICES.items() if "profiles" not in one}


def conditions(name: str) -> dict[str, str]:
    """What a service waits for."""
    needs = SERVICES[name].get("depends_on", {})
    return {one: needs[one]["condition"] if isinstance(needs, dict) else "service_started" for one in needs}


def test_kafka_writes_into_its_volume() -> None:
    kafka = SERVICES["kafka"]
    (mount,) = kafka["volumes"]
    assert kafka["environment"]["KAFKA_LOG_DIRS"] == mount.partition(":")[2]


def test_the_login_has_a_role_that_couchbases_community_edition_knows() -> None:
    assert "community" in SERVICES["couchbase"]["image"]
    (script,) = SERVICES["couchbase-init"]["command"]
    assert "--roles 'bucket_full_access[nearline]'" in script
    assert "data_reader" not in script


def test_the_user_that_is_made_is_the_one_that_the_programs_log_in_as() -> None:
    (script,) = SERVICES["couchbase-init"]["command"]
    made = SERVICES["couchbase-init"]["environment"]
    used = SERVICES["matcher"]["environment"]
    assert '--rbac-username "$$LOGIN" --rbac-password "$$PASSWORD"' in script
    assert made["LOGIN"] == used["NEARLINE_COUCHBASE_USERNAME"]
    assert made["PASSWORD"] == used["NEARLINE_COUCHBASE_PASSWORD"]


@pytest.mark.parametrize("name", STARTED)
def test_what_ends_by_itself_is_waited_for_by_somebody_who_needs_it_done(name: str) -> None:
    """`up --wait` takes the end of any other service for a failure."""
    one = STARTED[name]
    waiting = [other for other in STARTED if conditions(other).get(name) == "service_completed_successfully"]
    stays = "restart" in one or (
        one["image"].startswith(("apache/kafka", "couchbase")) and "entrypoint" not in one
    )
    assert bool(waiting) is not stays


def test_a_jobmanager_that_starts_again_has_its_job() -> None:
    jobmanager = SERVICES["jobmanager"]
    assert jobmanager["restart"] == "unless-stopped"
    assert jobmanager["command"][:3] == [
        "standalone-job",
        "--job-classname",
        "org.apache.flink.client.python.PythonDriver",
    ]
    assert "streaming.feature_job" in jobmanager["command"]
    assert [name for name, one in SERVICES.items() if "streaming.feature_job" in one.get("command", ())] == [
        "jobmanager"
    ]


@pytest.mark.parametrize("name", ["kafka", "models", "jobmanager", "matcher", "alert-consumer", "couchbase"])
def test_wait_waits_until_a_service_works(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_flinks_properties_are_lines_that_the_entry_point_reads() -> None:
    properties: dict[str, Any] = dict(
        line.split(": ") for line in SERVICES["jobmanager"]["environment"]["FLINK_PROPERTIES"].splitlines()
    )
    assert properties["jobmanager.rpc.address"] == "jobmanager"
    assert properties["taskmanager.numberOfTaskSlots"] == "4"
