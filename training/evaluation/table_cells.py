"""Cells of a report's tables: values, intervals and differences; and an empty table."""

from __future__ import annotations

import math
from typing import Any

from rich.table import Table


def empty_table(title: str, first: str) -> Table:
    """A table with a title and its first column."""
    table = Table(title=title, title_justify="left", width=None)
    table.add_column(first, overflow="fold")
    return table


def point(value: float | None) -> str:
    """A value with three digits, or a dash where it is undefined."""
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def spread(interval: dict[str, Any]) -> str:
    """A mean and its interval, such as `0.812 [0.790, 0.833]`."""
    return f"{point(interval['mean'])} [{point(interval['low'])}, {point(interval['high'])}]"


def difference(interval: dict[str, Any] | None) -> str:
    """A difference and its interval with signs; a star where the interval excludes zero."""
    if interval is None:
        return ""
    mean, low, high = (_signed(interval[name]) for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]{'*' if interval['excludes_zero'] else ' '}"


def _signed(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:+.3f}"
