"""Read a file of classes, offers and techniques, TOML or JSON; messages name the file, the table and the field."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pipeline.planning.offers import (
    UNBOUNDED_MS,
    Catalog,
    Demand,
    Measured,
    Offer,
    Technique,
    check_offers,
    check_techniques,
)
from schemas.errors import ConfigError

_TABLES = ("class", "offer", "technique")


def read_catalog(path: Path) -> Catalog:
    """The file's content, JSON if its name ends so, else TOML; ConfigError names what is wrong.

    Offers and techniques are checked; demands are not, since they may come from elsewhere.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        catalog = parse(found)
        check_offers(catalog.offers)
        check_techniques(catalog.techniques, catalog.offers)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return catalog


def parse(found: Any) -> Catalog:
    """The content of a parsed file; ConfigError for an unknown table or field, and for a value of another type."""
    tables = _Table("the file", found)
    catalog = Catalog(
        demands=tuple(map(_demand, tables.rows("class"))),
        offers=tuple(map(_offer, tables.rows("offer"))),
        techniques=tuple(map(_technique, tables.rows("technique"))),
    )
    tables.end(_TABLES)
    return catalog


class _Table:
    """One table of the file: gives each field with its type checked, and finds fields that nobody asked for."""

    def __init__(self, what: str, found: Any) -> None:
        if not isinstance(found, Mapping):
            raise ConfigError(f"{what} is {found!r:.40} where a table is wanted")
        self._found: Mapping[str, Any] = found
        self.what = f"{what} {found['name']!r:.80}" if isinstance(found.get("name"), str) else what

    def number(self, name: str, default: float | None = None) -> float:
        """A number; NaN and infinity pass, since the check of the values names them better."""
        value = self._found.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._fail(name, "a number")
        return float(value)

    def text(self, name: str, default: str | None = None) -> str:
        """A text."""
        value = self._found.get(name, default)
        if not isinstance(value, str):
            self._fail(name, "a text")
        return value

    def whole(self, name: str) -> int | None:
        """A whole number; None where the field is absent."""
        value = self._found.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            self._fail(name, "a whole number")
        return value

    def flag(self, name: str) -> bool:
        """True or false; false where the field is absent."""
        value = self._found.get(name, False)
        if not isinstance(value, bool):
            self._fail(name, "true or false")
        return value

    def texts(self, name: str) -> frozenset[str]:
        """A list of texts; empty where the field is absent."""
        value = self._found.get(name, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self._fail(name, "a list of texts")
        return frozenset(value)

    def rows(self, name: str) -> list["_Table"]:
        """The tables of a list; none where the field is absent."""
        value = self._found.get(name, [])
        if not isinstance(value, list):
            self._fail(name, f"a list of tables, [[{name}]]")
        return [_Table(name, one) for one in value]

    def end(self, known: Sequence[str]) -> None:
        """Raise ConfigError for a field that is none of `known`."""
        if strange := sorted(self._found.keys() - set(known)):
            raise ConfigError(f"{self.what}: unknown field {strange[0]!r}; there are {', '.join(known)}")

    def _fail(self, name: str, wanted: str) -> NoReturn:
        if name not in self._found:
            raise ConfigError(f"{self.what}: {name} is missing: give {wanted}")
        raise ConfigError(f"{self.what}: {name} is {self._found[name]!r:.40}: give {wanted}")


def _demand(table: _Table) -> Demand:
    table.end(("name", "bound_ms", "items_per_s"))
    demanded = table.number("items_per_s", -1.0)
    return Demand(
        name=table.text("name"),
        bound_ms=table.number("bound_ms", UNBOUNDED_MS),
        items_per_s=None if demanded == -1.0 else demanded,
    )


def _offer(table: _Table) -> Offer:
    table.end(("name", "price_per_hour", "example_price", "at_most", "measured"))
    return Offer(
        name=table.text("name"),
        price_per_hour=table.number("price_per_hour"),
        example=table.flag("example_price"),
        at_most=table.whole("at_most"),
        measured=tuple(map(_measured, table.rows("measured"))),
    )


def _measured(table: _Table) -> Measured:
    table.end(("items_per_s", "bound_ms", "command", "uses"))
    return Measured(
        items_per_s=table.number("items_per_s"),
        bound_ms=table.number("bound_ms", UNBOUNDED_MS),
        command=table.text("command"),
        uses=table.texts("uses"),
    )


def _technique(table: _Table) -> Technique:
    table.end(("name", "factor", "source"))
    return Technique(name=table.text("name"), factor=table.number("factor"), source=table.text("source"))
