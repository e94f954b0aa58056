"""Queries drawn over a split's postings: what a searcher needs, and the words of the query."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from schemas.errors import ConfigError
from training.judging.drawing import Asked
from training.judging.records import Ask
from training.rules.corpus import Corpus
from training.rules.teacher import Needs
from training.rules.wordings import negatable, occupation_wording, worded

KINDS = {"title only": (0,), "one facet": (1,), "several facets": (2, 2, 2, 3)}
"""Numbers of facets that queries of a stratum ask for, one of them at random."""
PARTS = (0.3, 0.4, 0.3)
"""Shares of the strata in KINDS."""
COMMONEST, RAREST = 0.7, 0.01
"""A facet is asked for if the share of the occupation's postings that state it is between these."""
PLACE_PART = 0.2
"""Share of the queries with facets that ask for a place in place of one facet."""
UNSEEN_PART = 0.5
"""Share of the test queries that are worded by held-out phrases alone."""
NEGATED_PART = 0.2
"""Share of the dev and test queries with facets that ask for work without something, in place of one facet."""
OFTEN = 0.03
"""Such a query names what at least this share of the occupation's postings state."""
NEGATED = "negated constraint"
"""The stratum of queries with a condition that something must not be."""
MOST_FRUITLESS = 5000
"""Draws in a row that give no query, after which no more are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A drawn query, its needs, and the position of the posting from which they were taken and which meets them."""

    ask: Ask
    needs: Needs
    source: int


def asks(corpus: Corpus, seed: int, asked: Asked = "any") -> Iterator[Drawn]:
    """Draw queries, the same for the same split and seed, endless unless MOST_FRUITLESS draws in a row give none.

    Only queries of the test split use a wording, an occupation or a facet that is held out; `asked` narrows them.
    """
    if asked == "held-out" and corpus.split != "test":
        raise ConfigError(
            f"queries of the {corpus.split} split never ask for what is held out: draw test queries"
        )
    rng = Random(f"{seed} {corpus.split} {corpus.words.domain}")
    free = corpus.split == "test" and asked != "trained"
    kept = frozenset() if free else corpus.words.test_only()
    keys = [key for key in corpus.of_occupation if key not in kept]
    weights = [len(corpus.of_occupation[key]) ** 0.5 for key in keys]
    number = fruitless = 0
    while keys and fruitless < MOST_FRUITLESS:
        unseen = corpus.split == "test" and rng.random() < UNSEEN_PART
        drawn = _draw(corpus, rng, rng.choices(keys, weights)[0], number, unseen=unseen)
        if drawn and _as_asked(drawn.needs, corpus, asked, free=free):
            yield drawn
            number, fruitless = number + 1, 0
        else:
            fruitless += 1


def _as_asked(needs: Needs, corpus: Corpus, asked: Asked, *, free: bool) -> bool:
    if any(not set(corpus.words.facets[key].opposed_by).isdisjoint(needs.facets) for key in needs.facets):
        return False  # a posting may state both, but no searcher asks for both
    if needs.without in needs.facets:
        return False
    unseen = _held_out_needs(needs, corpus)
    return (free or not unseen) and (asked != "held-out" or bool(unseen))


def _held_out_needs(needs: Needs, corpus: Corpus) -> frozenset[str]:
    occupations = corpus.words.test_only() & {needs.occupation}
    return frozenset(occupations | (corpus.words.test_only_facets() & {*needs.facets, needs.without}))


def _draw(corpus: Corpus, rng: Random, occupation: str, number: int, *, unseen: bool) -> Drawn | None:
    source = rng.choice(corpus.of_occupation[occupation])
    kind = rng.choices(list(KINDS), PARTS)[0]
    count = rng.choice(KINDS[kind])
    place = corpus.found[source].place if count and rng.random() < PLACE_PART else None
    place = place if place in corpus.places else None
    without = _without(corpus, rng, occupation, source, unseen=unseen) if count > bool(place) else None
    facets = _facets(corpus, rng, occupation, source, count - bool(place) - bool(without))
    if facets is None:
        return None
    wording = occupation_wording(
        rng, corpus.words.occupations[occupation], corpus.postings[source], unseen=unseen
    )
    needs = Needs(occupation=occupation, facets=facets, place=place, wording=wording, without=without)
    ask = Ask(
        query_id=f"{corpus.words.domain}-{corpus.split}-{number:05d}",
        query=worded(corpus.words, rng, needs, unseen=unseen),
        needs=needs.as_json(corpus.words),
        split=corpus.split,
        strata=_strata(corpus, kind, needs, unseen=unseen),
    )
    return Drawn(ask=ask, needs=needs, source=source)


def _without(corpus: Corpus, rng: Random, occupation: str, source: int, *, unseen: bool) -> str | None:
    """A facet that others of the occupation state and the posting does not, most likely one that it denies."""
    if corpus.split == "train" or rng.random() >= NEGATED_PART:
        return None
    found, share = corpus.found[source], corpus.share[occupation]
    fit = [
        key
        for key, facet in corpus.words.facets.items()
        if facet.avoided and key not in found.stated and share.get(key, 0) >= OFTEN
        if negatable(facet.phrases, unseen=unseen)
    ]
    denied = [key for key in fit if key in found.denied]
    return rng.choice(denied or fit) if fit else None


def _facets(corpus: Corpus, rng: Random, occupation: str, source: int, count: int) -> tuple[str, ...] | None:
    """Facets that the posting states, rare ones with more weight; None where it states too few."""
    share = corpus.share[occupation]
    fit = [key for key in corpus.found[source].stated if RAREST <= share.get(key, 0) <= COMMONEST]
    if len(fit) < count:
        return None
    chosen: list[str] = []
    while len(chosen) < count:
        left = [key for key in fit if key not in chosen]
        chosen += rng.choices(left, [share[key] ** -0.5 for key in left])
    return tuple(chosen)


def _strata(corpus: Corpus, kind: str, needs: Needs, *, unseen: bool) -> tuple[str, ...]:
    known = corpus.split == "train"
    return (
        corpus.words.domain,
        kind,
        "unseen phrase" if unseen else "seen phrase",
        "unseen occupation" if needs.occupation in corpus.words.test_only() else "seen occupation",
        "seen company" if known else "unseen company",
        *((_facet_stratum(needs, corpus),) if needs.facets or needs.without else ()),
        *(("with place",) if needs.place else ()),
        *((NEGATED,) if needs.without or any(key.startswith("no_") for key in needs.facets) else ()),
    )


def _facet_stratum(needs: Needs, corpus: Corpus) -> str:
    asked = {*needs.facets, needs.without}
    return "seen facets" if corpus.words.test_only_facets().isdisjoint(asked) else "unseen facet"
