"""The configuration page: every option, environment variable and URL parameter, by who reads it."""

from collections.abc import Iterable

from nearline.configuration.commands import commands
from nearline.configuration.environment import connections, others
from nearline.configuration.services import services, training
from nearline.configuration.stores import stores
from nearline.configuration.tables import Section, lines

TITLE = """# Configuration

Every option, environment variable and URL parameter, by the program that reads it. A default of – is empty, off or none; a
value with "…" takes several. Written by `make config-page` from the settings classes; a test compares."""


def product() -> list[Section]:
    """The sections of everything that is installed."""
    return [*services(), connections(), *stores(), *commands(), *training(), others()]


def page(sections: Iterable[Section]) -> str:
    """The page as Markdown."""
    return "\n".join([TITLE, *(line for one in sections for line in lines(one))]) + "\n"
