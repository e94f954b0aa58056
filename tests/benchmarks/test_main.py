from pathlib import Path

import pytest

from benchmarks.__main__ import out_folder
from benchmarks.common.report import FOLDER


@pytest.mark.parametrize(
    ("argv", "folder"),
    [
        (["stores"], FOLDER),
        (["--out", "a", "stores"], Path("a")),
        (["stores", "--rounds", "1", "--out", "b"], Path("b")),
    ],
)
def test_results_go_where_out_says_before_the_name_or_behind_it(argv: list[str], folder: Path) -> None:
    assert out_folder(argv) == folder
