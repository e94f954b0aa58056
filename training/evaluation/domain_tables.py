"""The tables of one domain: its systems with NDCG and alerts, and its strata."""

from __future__ import annotations

from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from training.evaluation.table_cells import difference, empty_table, point, spread

ELSEWHERE = {"no-description", "bm25-title", "random"}
"""Systems that the strata of a domain leave to the table of all strata, so that 100 columns are enough."""


def domain_tables(name: str, section: dict[str, Any], relevant: int) -> list[RenderableType]:
    """The systems of a domain, then its strata; of alerts those of grade >= `relevant` are right."""
    parts: list[RenderableType] = [_systems(f"{name}: {section['queries']} queries", section["systems"])]
    alerting = [system for system in section["systems"] if system.get("alerts")]
    if alerting:
        parts.append(_alerting(f"{name}: alerts, right from grade {relevant} on", alerting))
    if section["strata"]:
        parts.append(_strata(name, section))
    return parts


def languages_table(found: dict[str, Any]) -> RenderableType:
    """NDCG over the postings that are not in English, or their number alone where no query has two."""
    title = (
        f"Not in English: {found['postings']} postings, {found['pairs']} pairs, {found['queries']} queries"
    )
    return _systems(title, found["systems"]) if "systems" in found else Text(title)


def _systems(title: str, systems: list[dict[str, Any]]) -> Table:
    table = empty_table(title, "system")
    for column in ("NDCG", f"minus {escape(systems[0]['name'])}"):
        table.add_column(column, justify="right", no_wrap=True)
    for system in systems:
        ndcg = system["ndcg"]
        table.add_row(Text(system["name"]), spread(ndcg), difference(ndcg.get("minus_first")))
    return table


def _alerting(title: str, systems: list[dict[str, Any]]) -> Table:
    table = empty_table(title, "system")
    for column in ("threshold", "alerts", "precision", "recall", "ECE"):
        table.add_column(column, justify="right", no_wrap=True)
    for system in systems:
        found = system["alerts"]
        ece = point(system["ece"]) if "ece" in system else ""
        threshold = f"{found['threshold']:.2f}"
        table.add_row(Text(system["name"]), threshold, str(found["alerts"]), *_shares(found), ece)
    return table


def _shares(alerts: dict[str, Any] | None) -> list[str]:
    return ["", ""] if alerts is None else [point(alerts["precision"]), point(alerts["recall"])]


def _strata(name: str, section: dict[str, Any]) -> Table:
    table = empty_table(f"{name}, by stratum", "stratum")
    shown = [at for at, system in enumerate(section["systems"]) if system["name"] not in ELSEWHERE]
    names = [escape(section["systems"][at]["name"]) for at in shown]
    for column in ("queries", *names, "precision", "recall"):
        table.add_column(column, justify="right")
    for stratum, found in section["strata"].items():
        ndcg = [point(found["systems"][at]["ndcg"]["mean"]) for at in shown]
        table.add_row(
            Text(stratum), str(found["queries"]), *ndcg, *_shares(found["systems"][0].get("alerts"))
        )
    return table
