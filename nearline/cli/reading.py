"""The events of a file as a command reads them: what it cannot read is told at the end, after the rest was used."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from nearline.shown import cell
from schemas.errors import EventError
from schemas.events import DOCUMENTED, BrokenLine, EventFormat, numbered_events
from schemas.records import PostingUpdate

#: Broken lines that are told one by one.
_TOLD = 10


class ReadFile:
    """The updates and broken lines of a file; a file that breaks off ends as if it ended there, until `finish`."""

    def __init__(self, path: Path, how: EventFormat = DOCUMENTED) -> None:
        self.path, self.how = path, how
        self._broken: list[BrokenLine] = []
        self._damage: EventError | None = None

    def __iter__(self) -> Iterator[PostingUpdate | BrokenLine]:
        return (event for _, event in self.numbered())

    def numbered(self) -> Iterator[tuple[int, PostingUpdate | BrokenLine]]:
        """Each with the number of its line (from 1)."""
        try:
            for number, event in numbered_events(self.path, self.how):
                if isinstance(event, BrokenLine) and len(self._broken) < _TOLD:
                    self._broken.append(event)
                yield number, event
        except EventError as error:
            self._damage = error

    def tell_broken(self, console: Console) -> None:
        """Print the first broken lines with their reasons."""
        for line in self._broken:
            console.print(cell(f"line {line.number}: {line.reason}"), soft_wrap=True)

    def finish(self) -> None:
        """Raise EventError if the file broke off."""
        if self._damage is not None:
            raise EventError(f"{self.path}: {self._damage}; everything before was read") from self._damage
