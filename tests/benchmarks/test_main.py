from pathlib import Path

import pytest

from benchmarks.__main__ import folder_of
from benchmarks.common.report import FOLDER


@pytest.mark.parametrize(
    ("argv", "folder"),
    [
        (["--out", "x", "stores"], Path("x")),
        (["stores", "--out", "x", "--rounds", "3"], Path("x")),
        (["stores", "--rounds", "3"], FOLDER),
        ([], FOLDER),
    ],
)
def test_the_folder_of_the_results_may_be_given_before_or_behind_the_name(
    argv: list[str], folder: Path
) -> None:
    assert folder_of(argv) == folder
