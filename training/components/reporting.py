"""How a long run tells what it is doing."""

from __future__ import annotations

from collections.abc import Callable

Log = Callable[[str], None]
"""Called with one line of progress at a time."""
