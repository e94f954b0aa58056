"""What was recorded of SGLang, held against our server alone; needs no SGLang."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.engine.checkpoint_engine import CheckpointEngine, EngineConfig
from tests.models.running import serving
from tests.sglang.cases import Case, edge_cases
from tests.sglang.differences import BY_CASE, DIFFERENCES

PAGE = Path(__file__).parents[2] / "docs" / "model-server.md"


@pytest.fixture(scope="module")
def url(checkpoint: Path) -> Iterator[str]:
    with serving(CheckpointEngine(checkpoint, EngineConfig(dtype="float32", device="cpu", threads=1))) as url:
        yield url


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in edge_cases()])
def test_ours_answers_an_edge_case_as_sglang_did_or_as_the_table_says(url: str, case: Case) -> None:
    answer = case.post(url)
    difference = BY_CASE.get(case.name)
    wanted = case.status if difference is None else difference.statuses[case.name]
    assert answer.status_code == wanted, answer.text
    if case.kind and difference is None:
        assert answer.json()["type"] == case.kind


def test_every_difference_has_a_recorded_case() -> None:
    assert set(BY_CASE) <= {case.name for case in edge_cases()}
    assert all(difference.statuses for difference in DIFFERENCES)


def test_the_page_lists_the_differences_of_the_list_and_no_other() -> None:
    tables = re.findall(
        r"\| a request with \| SGLang \| ours \|\n\|---\|---\|---\|\n((?:\|.*\n)+)", PAGE.read_text()
    )
    lines = [line for table in tables for line in table.splitlines()]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows == [[d.asked, d.sglang, d.ours] for d in DIFFERENCES]
