"""Flink's entry point makes a setting of every line of FLINK_PROPERTIES, or ends; Spark's starts an executor."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.docker.manifests import DOCKER, services

FLINK, SPARK = DOCKER / "entrypoints" / "flink.sh", DOCKER / "entrypoints" / "spark.sh"
PROPERTIES = services()["jobmanager"]["environment"]["FLINK_PROPERTIES"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Flink whose scripts print what they are given, on a path without `envsubst`."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("config-parser-utils.sh", "jobmanager.sh", "standalone-job.sh"):
        _script(tools / name, f'printf "%s\\n" {name} "$@"')
    return tmp_path


def _script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


def flink(home: Path, properties: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"FLINK_HOME": str(home), "FLINK_PROPERTIES": properties, "PATH": str(home / "bin")}
    return subprocess.run(
        ["/bin/bash", str(FLINK), *arguments], env=environment, capture_output=True, text=True, check=False
    )


def with_envsubst(home: Path) -> Path:
    """`home` with a stand-in for gettext's tool, which knows one variable."""
    _script(
        home / "bin" / "envsubst", 'while IFS= read -r line; do echo "${line//\\${HOSTNAME\\}/pod-1}"; done'
    )
    return home


def test_every_line_of_the_properties_becomes_a_setting(home: Path) -> None:
    done = flink(with_envsubst(home), PROPERTIES, "standalone-job", "--job-classname", "C")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    wanted = [line.replace(": ", "=", 1) for line in PROPERTIES.splitlines()]
    assert [line for line in said if line in wanted] == wanted
    assert said[-4:] == ["standalone-job.sh", "start-foreground", "--job-classname", "C"]


def test_values_keep_their_blanks_and_colons_and_name_variables(home: Path) -> None:
    properties = "\n# said\n  a.b:  x y: z  \nhost: ${HOSTNAME}\n"
    said = flink(with_envsubst(home), properties, "jobmanager").stdout.splitlines()
    assert {"a.b=x y: z", "host=pod-1"} <= set(said)


def test_without_envsubst_nothing_is_started(home: Path) -> None:
    done = flink(home, PROPERTIES, "jobmanager")
    assert done.returncode == 127
    assert "envsubst" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("line", ["jobmanager.rpc.address jobmanager", "a.b:", "a b: c"])
def test_a_line_that_is_no_setting_is_named_and_nothing_is_started(home: Path, line: str) -> None:
    done = flink(with_envsubst(home), f"a: b\n{line}\n", "jobmanager")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"'{line}'" in done.stderr


def test_a_settings_script_that_fails_ends_the_container(home: Path) -> None:
    _script(home / "bin" / "config-parser-utils.sh", "exit 1")
    done = flink(with_envsubst(home), "a: b", "jobmanager")
    assert (done.returncode, done.stdout) == (1, "")


def test_another_command_is_run_as_it_is(home: Path) -> None:
    """Flink's operator starts its pods so, with a configuration of its own, which is read-only."""
    assert flink(home, PROPERTIES, "/bin/echo", "a b").stdout == "a b\n"


def test_an_executor_gets_its_options_in_order_and_with_their_blanks(tmp_path: Path) -> None:
    _script(tmp_path / "tini", 'printf "%s\\n" "${@:3}"')
    names = (
        *("DRIVER_URL", "EXECUTOR_ID", "EXECUTOR_CORES", "APPLICATION_ID", "RESOURCE_PROFILE_ID"),
        *("EXECUTOR_POD_IP", "EXECUTOR_POD_NAME", "EXECUTOR_MEMORY", "HOME"),
    )
    options = {f"SPARK_JAVA_OPT_{number}": f"-Dx.{number}=a b" for number in (10, 2, 0)}
    environment = {f"SPARK_{name}": name for name in names} | options
    done = subprocess.run(
        [str(SPARK), "executor"],
        env=environment | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.splitlines()
    assert said[:5] == ["java", "-Dx.0=a b", "-Dx.2=a b", "-Dx.10=a b", "-XmsEXECUTOR_MEMORY"]
    assert said[said.index("--driver-url") + 1] == "DRIVER_URL"
