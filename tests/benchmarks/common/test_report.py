import json
import re
from pathlib import Path

import pytest

from benchmarks.common.report import FOLDER, Result, command, markdown, measured_on, table, write

RESULT = Result(
    name="demo",
    title="A demo",
    settings={"updates": 1_000_000},
    tables={"Speeds": [{"contender": "ours", "rate": 12345.6}, {"contender": "a|b", "rate": 0.123456}]},
    findings=["It ran."],
    plots=["demo.png"],
    detail={"runs": [1, 2]},
)


def test_a_table_has_a_line_a_row_and_numbers_that_people_can_read() -> None:
    assert table(RESULT.tables["Speeds"]) == [
        "| contender | rate |",
        "| --- | ---: |",
        "| ours | 12,346 |",
        "| a\\|b | 0.123 |",
    ]


def test_rows_with_different_columns_make_no_table() -> None:
    with pytest.raises(ValueError, match="same columns"):
        table([{"a": 1}, {"b": 2}])


def test_a_page_shows_findings_tables_plots_and_what_it_was_measured_on() -> None:
    page = markdown(RESULT, {"cores": 2})
    for expected in (
        "# A demo",
        "- It ran.",
        "## Speeds",
        "![demo.png](demo.png)",
        "| cores | 2 |",
        "| updates | 1,000,000 |",
    ):
        assert expected in page


def test_what_is_written_as_json_reads_back(tmp_path: Path) -> None:
    write(RESULT, tmp_path, {"cores": 2})
    read = json.loads((tmp_path / "demo.json").read_text())
    assert read["tables"]["Speeds"][0]["rate"] == 12345.6
    assert read["measured_on"] == {"cores": 2}
    assert read["runs"] == [1, 2]


def test_every_result_says_on_what_and_how_it_was_measured() -> None:
    assert all(
        measured_on()[name] for name in ("processor", "cores", "python", "packages", "command", "date")
    )


def test_a_command_shows_no_folder_of_the_machine_that_it_ran_on() -> None:
    assert command("benchmarks", ["feature-job", "--only", "confluent 2", "--out", "/srv/ann/results"]) == (
        "python -m benchmarks feature-job --only 'confluent 2' --out .../results"
    )


@pytest.mark.parametrize("page", sorted(FOLDER.rglob("*.json")), ids=lambda page: page.stem)
def test_no_page_of_results_names_a_folder_of_a_machine(page: Path) -> None:
    measured = json.loads(page.read_text()).get("measured_on", {})
    assert not re.search(r"(?<![.\w])/\w", measured.get("command", ""))
