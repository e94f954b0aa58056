import itertools
import re
import sys
from pathlib import Path

import pytest

from nearline.cli.options import checked
from nearline.stack.settings import StackSettings
from nearline.stack.sglang import SglangConfig, SglangServer, command
from nearline.stack.supervisor import ComponentFailed
from schemas.errors import ConfigError

PINS = Path(__file__).parents[2] / "docker" / "envs" / "sglang" / "cpu.txt"


def config(environment: Path, **changes: object) -> SglangConfig:
    given: dict[str, object] = {"model": environment, "name": "ranker@7", "port": 15_999, **changes}
    return SglangConfig(environment=environment, **given)  # type: ignore[arg-type]


def environment_of(tmp_path: Path, program: str) -> Path:
    """An environment whose Python runs `program` whatever it is told."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!{sys.executable}\n{program}")
    python.chmod(0o755)
    return tmp_path


def test_a_gpu_is_left_to_sglangs_own_choices_and_a_cpu_gets_the_plain_torch_code(tmp_path: Path) -> None:
    gpu = command(config(tmp_path, more=("--tp", "2")), gpu=True)
    assert gpu[-4:] == ("--dtype", "auto", "--tp", "2")
    cpu = command(config(tmp_path, radix_cache=True), gpu=False)
    assert cpu[: len(gpu) - 2] == gpu[:-2]
    assert ("--device", "cpu") in itertools.pairwise(cpu)
    assert "--disable-radix-cache" not in cpu
    assert "--disable-radix-cache" in command(config(tmp_path), gpu=False)


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
    server = SglangServer(config(environment, ready_timeout_s=0.5), tmp_path)
    with pytest.raises(ComponentFailed, match=r"did not answer in 0\.5 s"), server:
        pass
    assert server.process.poll() is not None


def test_two_urls_name_the_ranker_and_the_summarizer_and_one_names_both() -> None:
    two = checked(StackSettings(models="http://r:1,http://s:2"))
    assert (two.ranker_url, two.summarizer_url) == ("http://r:1", "http://s:2")
    one = checked(StackSettings(models="http://both:3"))
    assert (one.ranker_url, one.summarizer_url) == ("http://both:3", "http://both:3")
    assert checked(StackSettings(models="instant")).ranker_url == "instant:"


def test_every_package_of_sglangs_environment_is_pinned_and_none_by_address() -> None:
    lines = PINS.read_text().split()
    assert "sglang==0.5.23" in lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+==[0-9][a-z0-9.]*", line)] == []
