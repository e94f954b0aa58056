"""`nearline replay --full-export`: what a list of all open postings lacks is closed."""

from collections.abc import Callable, Iterable

from rich.console import Console

from nearline.cli.reading import ReadFile
from pipeline.full_export import FullExport, plan
from schemas.errors import ConfigError, EventError
from schemas.events import NumberedEvents, numbered_events
from schemas.records import FeatureRecord
from schemas.times import instant_us


def full_export(as_of: str, close_at_most: float, now_s: float) -> FullExport:
    """The settings of a full export; without `as_of` it was made now. Raises ConfigError."""
    if not 0 <= close_at_most <= 1:
        raise ConfigError(f"--close-at-most is a share from 0 to 1, not {close_at_most:g}")
    now_us = int(now_s * 1_000_000)
    try:
        made_us = instant_us(as_of, "--as-of") if as_of else now_us
    except EventError as error:
        raise ConfigError(str(error)) from error
    if made_us > now_us:
        raise ConfigError(f"--as-of {as_of} is in the future: give the time at which the export was made")
    return FullExport(as_of=made_us, close_at_most=close_at_most)


def planned(
    file: ReadFile, records: Callable[[], Iterable[FeatureRecord]], export: FullExport, console: Console
) -> NumberedEvents:
    """The updates of a full export, decided by what the store has now; says what it will close.

    Raises as `pipeline.full_export.plan` does, but ConfigError for a file that is no full export.
    """
    try:
        made = plan(numbered_events(file.path, file.how), records, export, file.how)
    except EventError as error:
        raise ConfigError(f"{file.path}: {error}") from error
    console.print(
        f"full export: {len(made.ids)} postings listed; of {made.open_before} open ones {len(made.missing)} are missing "
        "and are closed",
        highlight=False,
    )
    if made.newer:
        console.print(
            f"{made.newer} more are missing but were opened after the export was made, and stay open",
            highlight=False,
        )
    return made.updates(file.numbered())
