"""Options of settings classes: what a field says, how argparse reads it, and the way back to a command line."""

import argparse
import subprocess
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.arguments import add, parse
from schemas.settings import Option, Options, build, has_options, rows, shown, to_argv


class Mode(StrEnum):
    ALL = "all"
    NEW = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    step: Annotated[int, Option("Step.", "--block-size", at_least=1)] = 1
    plain: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Middle:
    share: Annotated[float, Option("Share, in %.", at_least=0, at_most=1)] = 0.5
    inner: Annotated[Inner, Options("Inner")] = field(default_factory=lambda: Inner(plain=2.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    files: Annotated[tuple[str, ...], Option("Files.", positional=True)]
    store_url: Annotated[str, Option("Store.", "--store", metavar="URL", also=("--place",))]
    path: Annotated[Path | None, Option("Path.", env="SAMPLE_PATH")] = None
    count: Annotated[int, Option("Count.")] = 3
    sizes: Annotated[tuple[int, ...], Option("Sizes.")] = (1, 2)
    mode: Annotated[Mode, Option("Mode.")] = Mode.ALL
    device: Annotated[Literal["cpu", "cuda"], Option("Device.")] = "cpu"
    dry: Annotated[bool, Option("Dry.")] = False
    resume: Annotated[bool, Option("Resume.", "--resume/--no-resume")] = False
    probe: Annotated[str, Option("For tests.", hidden=True)] = ""
    unasked: str = "kept"
    middle: Annotated[Middle, Options()] = field(default_factory=Middle)


NEEDED = ["a", "--store", "memory:"]


def read(*argv: str, **environ: str) -> Sample:
    return parse(Sample, [*argv, *NEEDED], prog="sample", environ=environ)


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit):
        parse(Sample, argv, prog="sample")
    return capsys.readouterr().err


def test_what_is_not_given_keeps_the_fields_defaults() -> None:
    assert read() == Sample(files=("a",), store_url="memory:")


def test_every_kind_of_option_reaches_its_field() -> None:
    found = read(
        *("--path", "p/q", "--count", "4", "--sizes", "7,8,9", "--mode", "new", "--device", "cuda"),
        *("--dry", "--resume", "--probe", "s", "--share", "0.25", "--block-size", "2"),
    )
    assert found == Sample(
        files=("a",),
        store_url="memory:",
        path=Path("p/q"),
        count=4,
        sizes=(7, 8, 9),
        mode=Mode.NEW,
        device="cuda",
        dry=True,
        resume=True,
        probe="s",
        middle=Middle(share=0.25, inner=Inner(step=2, plain=2.0)),
    )
    assert isinstance(found.mode, Mode)


def test_an_option_may_have_a_second_name_and_be_denied() -> None:
    assert parse(Sample, ["a", "--place", "x:"], prog="sample").store_url == "x:"
    assert read("--resume", "--no-resume").resume is False


def test_a_variable_counts_where_the_option_is_not_given() -> None:
    assert read(SAMPLE_PATH="from/env").path == Path("from/env")
    assert read("--path", "given", SAMPLE_PATH="from/env").path == Path("given")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["a"], "--store"),
        (["--store", "x"], "files"),
        ([*NEEDED, "--count", "many"], "invalid int value"),
        ([*NEEDED, "--sizes", "1,x"], "--sizes"),
        ([*NEEDED, "--mode", "old"], "choose from"),
        ([*NEEDED, "--device", "tpu"], "choose from"),
        ([*NEEDED, "--block-size", "0"], "0 is not at least 1"),
        ([*NEEDED, "--share", "1.5"], "1.5 is not 0 to 1"),
        ([*NEEDED, "--unasked", "x"], "unrecognized"),
    ],
)
def test_a_bad_argument_is_named(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in refused(capsys, *argv)


def test_the_help_shows_meaning_default_and_variable_and_hides_what_is_for_tests() -> None:
    parser = argparse.ArgumentParser(prog="sample")
    add(parser, Sample)
    text = " ".join(parser.format_help().split())
    assert "Path. [env: SAMPLE_PATH]" in text
    assert "Share, in %. [default: 0.5]" in text
    assert "Sizes. [default: 1,2]" in text
    assert "--store URL, --place URL" in text
    assert "Inner:" in text
    assert "probe" not in text


def test_zero_is_shown_as_a_default_and_nothing_is_not() -> None:
    @dataclass(frozen=True)
    class Zero:
        none: Annotated[int, Option("0.")] = 0
        empty: Annotated[str, Option("Empty.")] = ""

    assert [shown(row) for row in rows(Zero)] == ["0", ""]


@given(
    files=st.lists(st.text(st.characters(categories=["L"]), min_size=1), min_size=1, max_size=3),
    path=st.none() | st.sampled_from([Path("a"), Path("a b/c")]),
    sizes=st.lists(st.integers(0, 99), max_size=3),
    mode=st.sampled_from(Mode),
    dry=st.booleans(),
    step=st.integers(1, 9),
)
def test_the_command_line_of_settings_gives_the_settings(
    files: list[str], path: Path | None, sizes: list[int], mode: Mode, dry: bool, step: int
) -> None:
    settings = Sample(
        files=tuple(files),
        store_url="lmdb:///s",
        path=path,
        sizes=tuple(sizes),
        mode=mode,
        dry=dry,
        middle=Middle(inner=Inner(step=step, plain=2.0)),
    )
    assert parse(Sample, to_argv(settings), prog="sample") == settings


def test_fields_without_an_option_are_built_from_the_rest() -> None:
    made = build(Sample, {"files": ["a"], "store": "x"}, unasked="given", count=9)
    assert (made.unasked, made.count, made.files) == ("given", 9, ("a",))


def test_only_settings_classes_have_options() -> None:
    @dataclass
    class Bare:
        name: str = ""

    assert has_options(Sample)
    assert not has_options(Bare)
    assert not has_options(str)
    assert not has_options(None)


def test_reading_a_command_line_needs_the_standard_library_alone() -> None:
    code = (
        "import sys; before = set(sys.modules); import schemas.arguments; print(*(set(sys.modules) - before))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    new = {name.partition(".")[0] for name in made.split()}
    assert new - set(sys.stdlib_module_names) == {"schemas"}
