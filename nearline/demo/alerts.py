"""Alerts as a table with one line for each, cut to the width of the terminal."""

from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from nearline.shown import visible
from schemas.records import Alert, Reason

_COLUMNS = ("query", "title", "company")
_SCORE_CELLS = 5
_GAP_CELLS = 2  # after each column but the last: a space of padding and one of the box


def alert_table(alerts: Sequence[Alert], *, title: str, width: int) -> Table:
    """A row of query, title, company and score for each alert, and why it went out if any of them says so.

    Texts too long for `width` cells end in an ellipsis.
    """
    rows = [[_line(text) for text in (alert.query, alert.title, alert.company or "")] for alert in alerts]
    wanted = [max(map(cell_len, [name, *texts])) for name, *texts in zip(_COLUMNS, *rows, strict=True)]
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    table.padding, table.pad_edge = (0, 1, 0, 0), False
    reasons = ["" if alert.reason is Reason.UNKNOWN else alert.reason for alert in alerts]
    why = max(map(len, reasons), default=0)
    taken = _SCORE_CELLS + _GAP_CELLS * len(_COLUMNS) + (why + _GAP_CELLS if why else 0)
    widths = shared(width - taken, wanted)
    for name, cells in zip(_COLUMNS, widths, strict=True):
        table.add_column(name, width=cells, no_wrap=True, overflow="ellipsis")
    if why:
        table.add_column("why", width=why, no_wrap=True)
    table.add_column("score", width=_SCORE_CELLS, justify="right", no_wrap=True)
    for alert, texts, reason in zip(alerts, rows, reasons, strict=True):
        # Text instead of str, so that "[m/f/d]" in a title is not taken for markup
        table.add_row(*map(Text, texts), *([reason] if why else []), f"{alert.p_yes:.3f}")
    return table


def shared(cells: int, wanted: Sequence[int]) -> list[int]:
    """Cut `wanted` widths to `cells` in total: narrow columns keep theirs, the others share the rest equally."""
    widths = [0] * len(wanted)
    for place, index in enumerate(sorted(range(len(wanted)), key=lambda i: wanted[i])):
        widths[index] = max(1, min(wanted[index], cells // (len(wanted) - place)))
        cells -= widths[index]
    return widths


def _line(text: str) -> str:
    return visible(" ".join(text.split()))
