"""The decision records have the fields that a reader looks for, and their index lists them as they are."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs/adr"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
HEAD = re.compile(
    r"# (?P<number>\d+)\. (?P<title>.+)\n\n"
    r"- Status: (?P<status>accepted|superseded by \d+)\n"
    r"- Date: (?P<date>\d{4}-\d\d-\d\d)\n\n"
)


def head(record: Path) -> dict[str, str]:
    found = HEAD.match(record.read_text())
    assert found, f"{record.name} does not begin with title, status and date"
    return found.groupdict()


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_says_its_status_its_date_and_what_else_was_considered(record: Path) -> None:
    assert int(head(record)["number"]) == int(record.name[:4])
    assert "Alternatives considered" in record.read_text()


def test_the_index_lists_every_record_with_its_title_status_and_date() -> None:
    rows = [line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith("| ")]
    heads = [(record.name, head(record)) for record in RECORDS]
    assert rows[0] == "| number | title | status | date |"
    assert rows[1:] == [
        f"| {h['number']} | [{h['title']}]({name}) | {h['status']} | {h['date']} |" for name, h in heads
    ]


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[\[<>=~]", each)[0] for each in wanted} - {project["name"]}
    rows = re.findall(r"^\| ([\w, -]+) \|", (FOLDER / "0006-dependencies.md").read_text(), re.MULTILINE)
    told = {name for row in rows for name in row.split(", ")} - {"library"}
    assert told == names
