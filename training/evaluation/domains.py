"""The domains of judged queries: each is reported by itself, since a ranker may be good in one and poor in another."""

from __future__ import annotations

from collections.abc import Sequence

from training.judging.records import JudgedQuery

DOMAINS = ("health", "technology", "general")
"""Strata that name a query's domain."""
WHOLE = "all"
"""The only domain of a file whose queries name none."""
HELD_OUT = ("held_out_occupation", "held_out_facet", "second_rules")
"""Strata of queries whose words or rules the teacher of the training data never had; they stand first."""


def domain_of(query: JudgedQuery) -> str:
    """The first of DOMAINS among a query's strata, else WHOLE."""
    return next((name for name in DOMAINS if name in query.strata), WHOLE)


def by_domain(queries: Sequence[JudgedQuery]) -> dict[str, list[int]]:
    """The places of each domain's queries, in the order of DOMAINS."""
    found = {
        name: [row for row, q in enumerate(queries) if domain_of(q) == name] for name in (*DOMAINS, WHOLE)
    }
    return {name: rows for name, rows in found.items() if rows}


def missing(queries: Sequence[JudgedQuery]) -> list[str]:
    """A warning for each domain of which there is no query."""
    held = by_domain(queries)
    return [
        f"warning: no judged query of the domain {name}: nothing is said of it (a query's strata name its domain)"
        for name in DOMAINS
        if name not in held
    ]


def held_out_first(names: Sequence[str]) -> list[str]:
    """Names of strata, those of HELD_OUT before all others."""
    return sorted(names, key=lambda name: (not name.startswith(("held_out", "held out", *HELD_OUT)), name))
