"""Generated searches over generated postings, in words that differ from the postings'."""

from __future__ import annotations

from random import Random

from training.synthetic.facts import Facts, GeneratedQuery
from training.synthetic.lexicon import Lexicon, Occupation
from training.synthetic.postings import pick

SHAPES = ("{t} {n}", "{n} {t}", "{t}, {n}", "{t} with {n}", "{t} - {n}", "{n} work as {t}", "{t} ({n})")
PLACED = ("{x} in {p}", "{x} {p}", "{p} {x}", "{x} near {p}", "{x}, {p}")
PART_OF_TITLE = 0.08


class Asker:
    """Draws queries about postings, worded by its lexicon."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._facets = {facet.key: facet for facet in lexicon.facets}
        self._keys = tuple(self._facets)
        self._wraps = lexicon.prose["query_wrap"]

    def ask(self, rng: Random, facts: Facts, title: str) -> GeneratedQuery:
        """A query that a posting with these facts and title meets fully or in part."""
        count = rng.choices((0, 1, 2, 3), (25, 40, 28, 7))[0]
        needs = [self._need(rng, facts) for _ in range(count)]
        needs = list(dict.fromkeys(needs))
        skills_only = count >= 1 and all(n.startswith("skill:") for n in needs) and rng.random() < 0.3
        occupation = None if skills_only else facts.occupation
        town = facts.town if not skills_only and rng.random() < 0.15 else None
        text = self._words(rng, facts.occupation, occupation is not None, needs, title)
        if town:
            text = pick(rng, PLACED).format(x=text, p=town.partition(",")[0])
        return GeneratedQuery(
            text=text if rng.random() < 0.35 else text.lower(),
            occupation=occupation,
            needs=tuple(needs),
            town=town,
        )

    def _need(self, rng: Random, facts: Facts) -> str:
        roll = rng.random()
        if facts.skills and roll < 0.45:
            return f"skill:{pick(rng, facts.skills)}"
        if facts.facets and roll < 0.85:
            return f"facet:{pick(rng, facts.facets)}"
        if roll < 0.93:
            return f"skill:{pick(rng, facts.occupation.skills).name}"
        return f"facet:{pick(rng, self._keys)}"

    def _words(self, rng: Random, occupation: Occupation, named: bool, needs: list[str], title: str) -> str:
        asked = [self._word(rng, occupation, need) for need in needs]
        joined = pick(rng, (" ", ", ", " and ", " ")).join(asked)
        if not named:
            return joined
        others = [t for t in occupation.titles if t not in title] or list(occupation.titles)
        wanted = pick(rng, others if rng.random() < 0.8 else occupation.titles)
        if rng.random() < PART_OF_TITLE:
            wanted = wanted.split()[-1]
        text = pick(rng, SHAPES).format(t=wanted, n=joined) if joined else wanted
        return pick(rng, self._wraps).format(x=text) if rng.random() < 0.25 else text

    def _word(self, rng: Random, occupation: Occupation, need: str) -> str:
        kind, _, key = need.partition(":")
        if kind == "facet":
            return pick(rng, self._facets[key].queries)
        skill = next(s for s in occupation.skills if s.name == key)
        return skill.asked if rng.random() < 0.4 else skill.name
