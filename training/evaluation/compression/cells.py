"""Cells of Markdown tables: differences with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def signed(interval: Mapping[str, Any] | None) -> str:
    """A difference and its interval with signs; a star where the interval excludes zero, a dash without any."""
    if interval is None or interval["mean"] is None:
        return "–"
    star = "*" if interval["excludes_zero"] else ""
    return f"{interval['mean']:+.4f} [{interval['low']:+.4f}, {interval['high']:+.4f}]{star}"
