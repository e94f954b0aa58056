"""Manifests against their schemas, and every command line in them against the program that will read it."""

import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from batch.settings import BackfillMode, BackfillSettings
from nearline.stack.jars import ensure_jars
from schemas import arguments
from schemas.errors import NearlineError
from streaming.alert_consumer import ALERT_CONSUMER
from streaming.features.settings import parse
from streaming.matcher import MATCHER
from streaming.process.member import parser
from streaming.process.options import settings_of
from tests.docker.manifests import DOCKER, arguments_of, command_lines, objects, of_kind, services

KUBERNETES = "1.33"
OPERATORS = {"FlinkDeployment", "SparkApplication"}


@pytest.mark.parametrize(
    "manifest",
    [o for o in objects() if o["kind"] not in OPERATORS],
    ids=lambda o: f"{o['kind']}-{o['metadata']['name']}",
)
def test_what_kubernetes_itself_knows_is_as_its_schema_says(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_check_finds_a_field_that_kubernetes_does_not_have() -> None:
    broken = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"port": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)


def test_the_backfill_is_as_the_spark_operators_schema_says() -> None:
    # each worker of a test run collects all tests: only the one that runs this one loads these 2 s of models
    from kubeflow_spark_api.models import SparkV1beta2SparkApplication

    manifest = of_kind("SparkApplication")
    read = SparkV1beta2SparkApplication.model_validate(manifest)
    assert read.to_dict()["spec"] == manifest["spec"]


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_the_feature_job_is_as_the_flink_operators_schema_says() -> None:
    schema = _flink_schema()
    manifest = of_kind("FlinkDeployment")
    # the newest schema that Maven has knows no Flink 2
    assert manifest["spec"].pop("flinkVersion") == "v2_3"
    _closed(schema)
    jsonschema.validate(manifest["spec"], schema)
    manifest["spec"]["job"]["jarUri"] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(manifest["spec"], schema)


def _flink_schema() -> dict[str, Any]:
    jars = DOCKER.parent / "build" / "operator-jars"
    ensure_jars(jars, Path(__file__).with_name("operator-pom.xml"))
    (jar,) = jars.glob("flink-kubernetes-operator-api-*.jar")
    with zipfile.ZipFile(jar) as archive:
        text = archive.read("META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml")
    (version,) = [v for v in yaml.load(text, yaml.CSafeLoader)["spec"]["versions"] if v["name"] == "v1beta1"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def _closed(schema: dict[str, Any]) -> None:
    """Kubernetes drops fields that a schema does not name; here they are errors."""
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
        for one in schema["properties"].values():
            _closed(one)
    if isinstance(schema.get("items"), dict):
        _closed(schema["items"])


def test_the_consumers_take_the_command_lines_that_they_are_given() -> None:
    for program in (MATCHER, ALERT_CONSUMER):
        lines = arguments_of(program.module)
        assert len(lines) == 2
        for line in lines:
            settings = settings_of(program.settings, parser(program).parse_args(line), {})
            assert settings.metrics_port == 9400
            assert settings.store_url in {"$(STORE)", "couchbase://couchbase/nearline/jobs/features"}
    assert [line[0] for line in arguments_of("streaming.create_topics")] == ["--bootstrap"] * 2


def test_the_feature_job_takes_its_command_lines() -> None:
    flink = of_kind("FlinkDeployment")["spec"]["job"]["args"]
    (composed,) = arguments_of("streaming.feature_job")
    for line in (flink[flink.index("streaming.feature_job") + 1 :], composed):
        settings = parse(line, {"NEARLINE_COUCHBASE_USERNAME": "u", "NEARLINE_COUCHBASE_PASSWORD": "p"})
        assert settings.store_url.startswith("couchbase://")
        assert settings.parallelism == 4


def test_the_backfill_takes_its_command_line() -> None:
    settings = arguments.parse(
        BackfillSettings, of_kind("SparkApplication")["spec"]["arguments"], prog="backfill"
    )
    assert (settings.mode, settings.parallelism) == (BackfillMode.STALE, 4)
    assert settings.publish


def test_a_command_line_that_a_program_does_not_know_is_found() -> None:
    with pytest.raises((SystemExit, NearlineError)):
        parse(["--no-such-option"], {})


def test_every_image_that_is_started_has_its_dockerfile() -> None:
    built = {f"nearline-{path.name.split('.')[0]}" for path in DOCKER.glob("*.Dockerfile")}
    started = {service["image"] for service in services().values()}
    ours = {image for image in started if image.startswith("nearline-")}
    assert ours == built == {"nearline-flink", "nearline-spark", "nearline-consumers", "nearline-models"}
    assert all("latest" not in line for line in command_lines())


def test_what_an_image_copies_is_in_the_context() -> None:
    kept = {
        line[1:]
        for line in (DOCKER.parent / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert all((DOCKER.parent / name).exists() for name in kept)
    roots = {path.parent.name for path in DOCKER.parent.glob("*/__init__.py")} - {"benchmarks", "tests"}
    assert roots <= kept
