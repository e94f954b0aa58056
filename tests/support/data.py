"""Real data for tests (docs/data.md): the folder NEARLINE_DATA, else a folder `shared/data` beside the repository."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("NEARLINE_DATA") or Path(__file__).parents[3] / "shared" / "data")


def needs_data(*names: str) -> pytest.MarkDecorator:
    """Skip a test where one of these files is not there."""
    absent = [name for name in names if not (FOLDER / name).is_file()]
    return pytest.mark.skipif(
        bool(absent), reason=f"{', '.join(absent)} not found: set NEARLINE_DATA (docs/data.md)"
    )
