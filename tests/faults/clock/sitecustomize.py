"""Python imports this at its start when its folder is on the path: `time.time()` is off by what a file says.

$CLOCK_OFFSET_FILE holds seconds and may change while the process runs. The monotonic clock is left alone, as when a
machine's clock is set.
"""

import os
import time
from pathlib import Path

_true_time = time.time
_file = Path(os.environ.get("CLOCK_OFFSET_FILE", os.devnull))


def _set_time() -> float:
    try:
        return _true_time() + float(_file.read_text() or 0)
    except (OSError, ValueError):
        return _true_time()


time.time = _set_time
