"""Campaigns: who pays for places among the results, for which postings, and how much a day."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """`bid`: most that one place may cost; `budget`: most for one day (UTC); both in the same smallest unit.

    `postings`: the ids of what it promotes. ConfigError for a campaign that cannot work.
    """

    name: str
    bid: int
    budget: int
    postings: frozenset[str]

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("a campaign without a name: give each one")
        if not 0 < self.bid <= self.budget:
            raise ConfigError(
                f"campaign {self.name!r}: bid must be above 0 and at most budget ({self.budget}), not {self.bid}"
            )
        if not self.postings:
            raise ConfigError(f"campaign {self.name!r} promotes no posting: name some under postings")


def read_campaigns(path: Path) -> list[Campaign]:
    """The `[[campaign]]` tables of a TOML file; ConfigError names the file and what is wrong with it."""
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file).get("campaign", [])
        return _distinct(_campaign(table) for table in tables)
    except (tomllib.TOMLDecodeError, ConfigError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _distinct(campaigns: Iterable[Campaign]) -> list[Campaign]:
    found: dict[str, Campaign] = {}
    for campaign in campaigns:
        if campaign.name in found:
            raise ConfigError(f"campaign {campaign.name!r} stands there twice: give each a name of its own")
        found[campaign.name] = campaign
    return list(found.values())


def _campaign(table: Mapping[str, Any]) -> Campaign:
    if unknown := sorted(table.keys() - {"name", "bid", "budget", "postings"}):
        raise ConfigError(f"a campaign has no {unknown[0]!r}: it has name, bid, budget and postings")
    postings = table.get("postings", [])
    if not isinstance(postings, list) or not all(isinstance(one, str) for one in postings):
        raise ConfigError("postings must be a list of posting ids")
    return Campaign(
        name=str(table.get("name", "")),
        bid=_amount(table, "bid"),
        budget=_amount(table, "budget"),
        postings=frozenset(postings),
    )


def _amount(table: Mapping[str, Any], name: str) -> int:
    value = table.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not isfinite(value):
        raise ConfigError(f"{name} must be a whole number of the smallest unit, such as cents, not {value!r}")
    return value
