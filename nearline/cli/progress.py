"""The progress display that several commands show."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def progress_display(console: Console, *, quiet: bool = False) -> Progress:
    """A line for each task: its description, a bar, how much of the total is done, and the time that remains."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=quiet)
