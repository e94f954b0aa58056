"""The page that follows one posting names functions to begin at; each is defined in a file of its row."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([*]*`[^|]*) \| ([^|]+) \| [^|]* \|$", PAGE, re.MULTILINE)


def undefined(files: str, names: str) -> list[str]:
    """The names in backticks, and the parts of dotted ones, that no file in backticks defines."""
    code = "".join((ROOT / file).read_text(encoding="utf-8") for file in re.findall(r"`([^`]+\.py)`", files))
    parts = [part for name in re.findall(r"`([^`]+)`", names) for part in name.split(".")]
    return [part for part in parts if not re.search(rf"(?:def|class) {part}\b|^{part}\b", code, re.MULTILINE)]


def test_each_function_to_begin_at_is_defined_in_a_file_of_its_row() -> None:
    assert len(ROWS) > 40
    assert [(files, gone) for files, names in ROWS if (gone := undefined(files, names))] == []


def test_a_name_that_no_file_of_the_row_defines_is_found() -> None:
    assert undefined("`schemas/keys.py`", "`alert_id`, `Nowhere.alert_id`") == ["Nowhere"]
