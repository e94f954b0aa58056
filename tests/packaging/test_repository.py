"""The files beside the code that editors, git, pre-commit and a hosted runner read."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOOKS: dict[str, dict[str, Any]] = {
    hook["id"]: hook
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repository["hooks"]
}


def git(*arguments: str) -> list[str]:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()


def test_git_treats_exactly_the_binary_files_as_binary() -> None:
    facts = {
        path: (ROOT / path).read_bytes().count(0) > 0 for path in git("ls-files") if (ROOT / path).is_file()
    }
    marked = [line.split(": ") for line in git("check-attr", "binary", "--", *facts)]
    assert {path: value == "set" for path, _, value in marked} == facts


def test_every_text_file_ends_its_lines_in_the_way_of_unix() -> None:
    ends = {line.split()[0] for line in git("ls-files", "--eol")}
    assert ends == {"i/lf", "i/none", "i/-text"}  # -text is binary; none is a file of one line or less


@pytest.mark.parametrize("hook", ["trailing-whitespace", "conflict-markers"])
def test_no_committed_line_is_one_that_a_hook_refuses(hook: str) -> None:
    found = git("grep", "-I", "-l", "-P", HOOKS[hook]["entry"], "--", ".")
    exclude = HOOKS[hook].get("exclude", "^$")
    assert [path for path in found if not re.search(exclude, path)] == []


@pytest.mark.parametrize(
    ("hook", "line"),
    [
        ("trailing-whitespace", "x = 1 "),
        ("trailing-whitespace", "x = 1\t"),
        ("conflict-markers", "<<<<<<< HEAD"),
        ("conflict-markers", ">>>>>>> theirs"),
    ],
)
def test_a_hook_refuses_a_bad_line(hook: str, line: str) -> None:
    assert re.search(HOOKS[hook]["entry"], line)


@pytest.mark.parametrize(("size", "status"), [(1 << 20, 0), ((1 << 20) + 1, 1)])
def test_a_hook_refuses_a_file_over_a_mebibyte(tmp_path: Path, size: int, status: int) -> None:
    big, small = tmp_path / "big.json", tmp_path / "small.json"
    big.write_bytes(b"x" * size)
    small.write_bytes(b"x")
    command = [*shlex.split(HOOKS["large-files"]["entry"]), str(small), str(big)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()) == (status, [str(big)] * status)


def test_every_tool_that_a_hook_calls_is_one_that_make_lint_calls() -> None:
    called = {hook["entry"].split()[0] for hook in HOOKS.values() if hook["entry"].startswith(".venv/")}
    makefile = (ROOT / "Makefile").read_text()
    assert "\nlint: style types  ##" in makefile
    lint = "".join(makefile.partition(f"\n{part}:")[2].partition("\n\n")[0] for part in ("style", "types"))
    assert called == {".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/lint-imports"}
    assert [tool for tool in called if f"$(BIN)/{Path(tool).name}" not in lint] == []


def test_the_hosted_check_runs_what_a_submission_must_pass_on_the_projects_python() -> None:
    steps = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())["jobs"]["check"]["steps"]
    assert steps[-1] == {"run": ".ci/run"}
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    version = (ROOT / ".python-version").read_text().strip()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["mypy"]["python_version"] == version
    assert project["project"]["requires-python"].startswith(f">={version},")


@pytest.mark.parametrize("form", ["bug", "idea"])
def test_an_issue_form_has_a_name_a_description_and_labelled_fields(form: str) -> None:
    content = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{form}.yml").read_text())
    fields = [each for each in content["body"] if each["type"] != "markdown"]
    assert content["name"]
    assert content["description"]
    assert fields
    assert all(each["attributes"]["label"] for each in fields)
    assert len({each["id"] for each in fields}) == len(fields)
