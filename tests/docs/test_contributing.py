"""What CONTRIBUTING.md promises about the tests holds."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REPLACES = {"setattr", "setitem", "delattr", "delitem", "syspath_prepend"}


def replaced(source: str) -> Iterator[int]:
    """Lines that replace something of the code under test: by pytest's `monkeypatch`, or by `unittest.mock`."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id="monkeypatch"), attr=attr) if attr in REPLACES:
                yield node.lineno
            case (
                ast.ImportFrom(module="unittest.mock" | "mock")
                | ast.Import(names=[ast.alias(name="unittest.mock" | "mock")])
            ):
                yield node.lineno
            case ast.ImportFrom(module="unittest", names=names) if any(each.name == "mock" for each in names):
                yield node.lineno


def test_no_test_replaces_an_attribute() -> None:
    tests = sorted((ROOT / "tests").rglob("*.py"))
    assert Path(__file__) in tests
    assert [f"{path.name}:{line}" for path in tests for line in replaced(path.read_text())] == []


@pytest.mark.parametrize(
    "line",
    [
        "monkeypatch.setattr(weights, 'save_file', short)",
        "monkeypatch.setitem(table, 'a', 1)",
        "from unittest.mock import patch",
        "from unittest import mock",
        "import unittest.mock",
    ],
)
def test_what_replaces_an_attribute_is_found(line: str) -> None:
    assert list(replaced(line)) == [1]


def test_what_sets_an_environment_variable_is_allowed() -> None:
    assert list(replaced("monkeypatch.setenv('PATH', '/nowhere')")) == []
