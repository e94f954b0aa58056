"""Absent tools and busy ports are named, with what to do."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from nearline.stack import tools
from nearline.stack.flink import job_arguments
from nearline.stack.services import consumer, matcher, model_server, search
from nearline.stack.settings import StackSettings, current_home
from schemas.errors import ConfigError


def test_a_port_in_use_is_named_with_its_role() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"{port} \(kafka\).*--port-base"):
            tools.check_ports({"kafka": port})


def test_free_ports_pass() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    tools.check_ports({"kafka": port})


def test_a_missing_maven_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="apt-get install maven"):
        tools.maven()


def test_a_missing_java_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    tools.java_home.cache_clear()
    with pytest.raises(ConfigError, match="openjdk-17"):
        tools.java_home()


def test_a_java_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    tools.java_home.cache_clear()
    with pytest.raises(ConfigError, match="Java 17 or newer"):
        tools.java_home()
    tools.java_home.cache_clear()


def test_settings_survive_their_file(tmp_path: Path) -> None:
    made = StackSettings(home=tmp_path / "s", ranker_dir=tmp_path, models="instant", port_base=41000)
    made.save()
    assert StackSettings.load(made.home) == made


def test_every_part_that_reads_a_topic_is_told_of_the_schema_registry(tmp_path: Path) -> None:
    made = StackSettings(home=tmp_path, models="instant", schema_registry="http://r:8081")
    for command in (matcher(made).command, consumer(made).command, job_arguments(made)):
        assert "--schema-registry http://r:8081" in " ".join(command)
    assert "--schema-registry" not in job_arguments(StackSettings(home=tmp_path, models="instant"))


def test_the_feature_job_is_given_the_embedder_that_the_stack_was_told(tmp_path: Path) -> None:
    without = StackSettings(home=tmp_path, models="instant")
    told = " ".join(job_arguments(replace(without, embedder="instant:")))
    assert "--embedder instant:" in told
    assert "--embedder" not in job_arguments(without)
    shipped = replace(without, models="tiny", embedder="tiny", embedder_dir=tmp_path / "embedder")
    served = " ".join(job_arguments(shipped))
    assert f"--embedder {shipped.models_url}" in served
    assert f"--embedder {tmp_path / 'embedder'}" in " ".join(model_server(shipped).command)
    for asking in (matcher(shipped), search(shipped)):
        assert f"--embedder {shipped.models_url}" in " ".join(asking.command)
    off = replace(shipped, embedder="off", embedder_dir=None)
    assert "--embedder" not in (*job_arguments(off), *model_server(off).command)


def test_the_stack_last_started_is_the_local_one(tmp_path: Path) -> None:
    default = tmp_path / "stack"
    assert current_home(default) == default
    StackSettings(home=tmp_path / "demo").save()
    assert current_home(default) == tmp_path / "demo"
