"""Queries drawn over a split's postings: what a searcher needs, and the words of the query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from schemas.errors import ConfigError
from training.judging.drawing import Asked
from training.judging.records import Ask
from training.rules.corpus import Corpus
from training.rules.lexicon.entries import held_out
from training.rules.teacher import Needs

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
MOST_FRUITLESS = 5000
"""Draws in a row that give no query, after which no more are drawn."""
_ALONE = (
    "{o}",
    "{o}",
    "{o}",
    "{o} jobs",
    "{o} vacancies",
    "looking for {o} work",
    "any openings for a {o}?",
    "{o} role",
)
_WITH = (
    "{o} {f}",
    "{o} {f}",
    "{o}, {c}",
    "{f} {o}",
    "{c}, {o}",
    "looking for {o}: {c}",
    "{o} - {c}",
    "{o} job, {c}",
    "{c} / {o}",
    "I want to work as a {o}, {c}",
    "{o} ({c})",
)


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
    unseen = _held_out_needs(needs, corpus)
    return (free or not unseen) and (asked != "held-out" or bool(unseen))


def _held_out_needs(needs: Needs, corpus: Corpus) -> frozenset[str]:
    occupations = corpus.words.test_only() & {needs.occupation}
    return frozenset(occupations | (corpus.words.test_only_facets() & set(needs.facets)))


def _draw(corpus: Corpus, rng: Random, occupation: str, number: int, *, unseen: bool) -> Drawn | None:
    source = rng.choice(corpus.of_occupation[occupation])
    kind = rng.choices(list(KINDS), PARTS)[0]
    count = rng.choice(KINDS[kind])
    place = corpus.found[source].place if count and rng.random() < PLACE_PART else None
    place = place if place in corpus.places else None
    facets = _facets(corpus, rng, occupation, source, count - bool(place))
    if facets is None:
        return None
    needs = Needs(occupation=occupation, facets=facets, place=place)
    ask = Ask(
        query_id=f"{corpus.words.domain}-{corpus.split}-{number:05d}",
        query=_worded(corpus, rng, needs, source, unseen=unseen),
        needs=needs.as_json(corpus.words),
        split=corpus.split,
        strata=_strata(corpus, kind, needs, unseen=unseen),
    )
    return Drawn(ask=ask, needs=needs, source=source)


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


def _worded(corpus: Corpus, rng: Random, needs: Needs, source: int, *, unseen: bool) -> str:
    title = corpus.postings[source].item.title.lower()
    wordings = _allowed(corpus.words.occupations[needs.occupation].wordings, unseen=unseen)
    wording = _plain(rng, [w for w in wordings if w.lower() not in title] or wordings)
    phrases = [_plain(rng, _allowed(corpus.words.facets[key].phrases, unseen=unseen)) for key in needs.facets]
    rng.shuffle(phrases)
    if needs.place:
        phrases.append(f"{rng.choice(('in', 'near', 'around'))} {needs.place.title()}")
    shape = rng.choice(_WITH if phrases else _ALONE)
    text = shape.format(o=wording, f=" ".join(phrases), c=", ".join(phrases))
    return text.lower() if rng.random() < 0.5 else text


def _plain(rng: Random, wordings: Sequence[str]) -> str:
    """Draw one wording; the lexicon lists the plainest first, which are drawn most often."""
    return rng.choices(wordings, [1 / (2 + place) for place in range(len(wordings))])[0]


def _allowed(wordings: Sequence[str], *, unseen: bool) -> list[str]:
    kept = held_out(wordings)
    return [wording for wording in wordings if (wording in kept) == unseen]


def _strata(corpus: Corpus, kind: str, needs: Needs, *, unseen: bool) -> tuple[str, ...]:
    known = corpus.split == "train"
    return (
        corpus.words.domain,
        kind,
        "unseen phrase" if unseen else "seen phrase",
        "unseen occupation" if needs.occupation in corpus.words.test_only() else "seen occupation",
        "seen company" if known else "unseen company",
        *((_facet_stratum(needs, corpus),) if needs.facets else ()),
        *(("with place",) if needs.place else ()),
    )


def _facet_stratum(needs: Needs, corpus: Corpus) -> str:
    return "seen facets" if corpus.words.test_only_facets().isdisjoint(needs.facets) else "unseen facet"
