"""The domains of judged queries: each is reported by itself, since a ranker may be good in one and poor in another."""

from __future__ import annotations

from collections.abc import Sequence

from training.judging.records import JudgedQuery, Judgement

DOMAINS = ("health", "technology", "general")
"""Strata that name a query's domain."""
WHOLE = "all"
"""The only domain of a file whose queries name none."""
HELD_OUT = ("second rules", "unseen occupation", "unseen facet")
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


def untaught(judged: Sequence[Judgement]) -> list[str]:
    """Warnings for domains without a training pair and for those without a dev query; [] where no strata name one."""
    held = {
        split: {name for row in judged if row.split == split for name in row.strata} & set(DOMAINS)
        for split in ("train", "dev")
    }
    if not held["train"]:
        return []
    absent = [name for name in DOMAINS if name not in held["train"]]
    unwatched = [name for name in DOMAINS if name in held["train"] - held["dev"]]
    return [
        *(f"warning: no training pair of the domain {name}: the ranker does not learn it" for name in absent),
        *(
            f"warning: no dev query of the domain {name}, which is trained: the best checkpoint is chosen without it"
            for name in unwatched
        ),
    ]


def held_out_first(names: Sequence[str]) -> list[str]:
    """Names of strata, those of HELD_OUT before all others."""
    return sorted(names, key=lambda name: (name not in HELD_OUT, name))
