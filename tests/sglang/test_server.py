"""How a real SGLang is started, and what is said when it does not start; needs no SGLang."""

import itertools
import re
import shlex
import sys
from pathlib import Path

import pytest

from benchmarks.engine.sglang import CPU_VARIABLES, SglangConfig, command, variables
from nearline.stack.supervisor import ComponentFailed
from schemas.errors import ConfigError
from tests.support.sglang import SglangServer

ROOT = Path(__file__).parents[2]
PINS = ROOT / "docker" / "envs" / "sglang" / "cpu.txt"
PAGE = ROOT / "docs" / "model-server.md"
STARTED = re.compile(r"^\.envs/sglang/bin/python (?:.*\\\n)*.*$", re.MULTILINE)
ON_A_CPU = re.compile(r"```\n(--device cpu (?:.*\n)*?)```")


def config(environment: Path, device: str = "cpu", **changes: object) -> SglangConfig:
    given: dict[str, object] = {"model": environment, "name": "ranker@7", "port": 15_999, **changes}
    return SglangConfig(environment=environment, device=device, **given)  # type: ignore[arg-type]


def environment_of(tmp_path: Path, program: str) -> Path:
    """An environment whose Python runs `program` whatever it is told."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!{sys.executable}\n{program}")
    python.chmod(0o755)
    return tmp_path


def options(words: list[str]) -> set[tuple[str, str]]:
    """Every option with the word that follows it, if that is its value."""
    pairs = itertools.pairwise([*words, "--"])
    return {(one, "" if other.startswith("--") else other) for one, other in pairs if one.startswith("--")}


def test_a_gpu_is_left_to_sglangs_own_choices_and_a_cpu_gets_the_plain_torch_code(tmp_path: Path) -> None:
    gpu = command(config(tmp_path, "cuda", more=("--tp", "2")))
    assert gpu[-4:] == ("--dtype", "auto", "--tp", "2")
    assert variables(config(tmp_path, "cuda")) == {"PYTHONPATH": ""}
    cpu = command(config(tmp_path, radix_cache=True))
    assert cpu[: len(gpu) - 2] == gpu[:-2]
    assert ("--device", "cpu") in itertools.pairwise(cpu)
    assert "--disable-radix-cache" not in cpu
    assert "--disable-radix-cache" in command(config(tmp_path))
    assert "--disable-radix-cache" in command(config(tmp_path, "cuda", radix_cache=False))


def test_the_page_starts_both_servers_as_the_command_does() -> None:
    started = [shlex.split(found) for found in STARTED.findall(PAGE.read_text())]
    assert len(started) == 2
    for words in started:
        port = int(dict(options(words))["--port"])
        model, name = (dict(options(words))[option] for option in ("--model-path", "--served-model-name"))
        wanted = options(list(command(SglangConfig(model=ROOT / model, name=name, port=port, device="cuda"))))
        said = {
            (option, str(ROOT / value) if option == "--model-path" else value)
            for option, value in options(words)
        }
        assert said - {("--disable-overlap-schedule", "")} == wanted - {
            ("--host", "127.0.0.1"),
            ("--dtype", "auto"),
        }
        assert words[1:4] == ["-P", "-m", "sglang.launch_server"]


def test_the_page_adds_on_a_cpu_what_the_command_adds(tmp_path: Path) -> None:
    page = PAGE.read_text()
    (added,) = ON_A_CPU.findall(page)
    cpu, gpu = (options(list(command(config(tmp_path, device)))) for device in ("cpu", "cuda"))
    assert options(added.split()) == cpu - gpu
    assert "SGLANG_USE_CPU_ENGINE=1" in page
    assert CPU_VARIABLES["SGLANG_USE_CPU_ENGINE"] == "1"


def test_without_the_environment_the_command_that_builds_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make sglang-env"):
        SglangServer(config(tmp_path), tmp_path)


def test_a_server_that_ends_at_its_start_is_reported_with_its_last_words(tmp_path: Path) -> None:
    environment = environment_of(tmp_path, "raise SystemExit('no such model')")
    with (
        pytest.raises(ComponentFailed, match=r"(?s)ended.*no such model"),
        SglangServer(config(environment), tmp_path),
    ):
        pass


def test_a_server_that_never_answers_is_ended_and_reported(tmp_path: Path) -> None:
    environment = environment_of(tmp_path, "import time; time.sleep(60)")
    server = SglangServer(config(environment), tmp_path, ready_timeout_s=0.5)
    with pytest.raises(ComponentFailed, match=r"did not answer in 0\.5 s"), server:
        pass
    assert server.process.poll() is not None


def test_every_package_of_sglangs_environment_is_pinned_and_none_by_address() -> None:
    lines = PINS.read_text().split()
    assert "sglang==0.5.23" in lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+==[0-9][a-z0-9.]*", line)] == []
