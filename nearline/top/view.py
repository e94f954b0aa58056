"""Lay a moment out for a terminal: what flows, what scoring does, and what is wrong."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatch

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nearline.shown import visible
from nearline.top.history import History
from nearline.top.scoring import Line, scoring_lines
from nearline.top.shown import count, number, seconds
from nearline.top.troubles import troubles

NARROW = 64
"""Terminals with fewer columns get no latencies beside the rates."""
NO_QUEUE = frozenset({"alerts sent", "model server, items"})
"""Stages before which nothing waits by their nature; of the others a dash says that it is not known."""
OUTCOMES = "flink_taskmanager_job_task_operator_nearline_outcome_*"


def frame(history: History, *, width: int, clock: str) -> RenderableType:
    """Everything that is known now, in lines of at most `width` cells."""
    head = f"nearline top  {clock}  means of the last {history.seconds:.0f} s"
    wrong = [Text(visible(line), style="bold red") for line in troubles(history)]
    return Group(
        Text(head, style="bold", no_wrap=True, overflow="ellipsis"),
        *wrong,
        _flow(history, narrow=width < NARROW),
        _lines(scoring_lines(history)),
    )


def _flow(history: History, *, narrow: bool) -> Table:
    """A row for each stage: what waits before it, how much it does in a second, and how late."""
    table = _table()
    table.add_column("stage", no_wrap=True, overflow="ellipsis")
    for name in ("waits", "a second", *(() if narrow else ("p50", "p95"))):
        table.add_column(name, justify="right", no_wrap=True)
    for stage, waits, rate, histogram in stages(history):
        late = (
            []
            if narrow
            else [seconds(history.quantile(share, histogram)) if histogram else "" for share in (0.5, 0.95)]
        )
        table.add_row(stage, "" if stage in NO_QUEUE else count(waits), number(rate), *late)
    return table


def stages(history: History) -> Iterator[tuple[str, float | None, float | None, str]]:
    """Each stage: its name, what waits before it, what it does a second, the histogram of its latencies or ""."""
    yield (
        "updates → features",
        history.value("flink_taskmanager_job_task_operator_pendingRecords"),
        _outcomes(history),
        "",
    )
    yield (
        "features → requests",
        history.value("nearline_matcher_lag"),
        history.rate("nearline_matcher_features_total"),
        "nearline_matcher_latency_seconds",
    )
    yield (
        "requests → alerts",
        history.value("nearline_alerts_lag"),
        history.rate("nearline_alerts_requests_total"),
        "nearline_alerts_latency_seconds",
    )
    yield ("alerts sent", None, history.rate("nearline_alerts_sent_total"), "")
    yield (
        "model server, items",
        None,
        history.rate("nearline_model_items_total"),
        "nearline_model_request_seconds",
    )
    yield (
        "its queue, tokens",
        history.value("nearline_model_pending_tokens"),
        history.rate("nearline_model_tokens_total"),
        "nearline_model_queue_seconds",
    )


def _outcomes(history: History) -> float | None:
    """Updates a second that the feature job has worked on, with any outcome."""
    names = [name for name in history.newest.samples if fnmatch(name, OUTCOMES)]
    rates = [rate for name in names if (rate := history.rate(name)) is not None]
    return sum(rates) if rates else None


def _lines(found: Iterable[Line]) -> Table:
    table = _table()
    table.show_header = False
    table.add_column("what", no_wrap=True, style="bold")
    table.add_column("figures", overflow="fold")
    for line in found:
        table.add_row(line.what, Text(line.figures))
    return table


def _table() -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.padding = (0, 1, 0, 0)
    return table
