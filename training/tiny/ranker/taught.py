"""The generator's lexicon without what the rules of general trades keep for the test split."""

from __future__ import annotations

from dataclasses import replace

from training.rules.lexicon.entries import lexicon
from training.synthetic.lexicon import Lexicon, Occupation

FEWEST_TITLES = 2
"""An occupation that keeps fewer titles is left out."""


def taught(generated: Lexicon) -> Lexicon:
    """The lexicon that training may draw from: no title of a held-out occupation, and no held-out facet.

    Titles are told by the rules, facets by their keys. Health and technology hold out occupations that general trades
    teach under other keys, such as cooks; those stay.
    """
    words = lexicon("general")
    rules = [words.occupations[key].title for key in sorted(words.test_only())]

    def kept(occupation: Occupation) -> Occupation:
        titles = (t for t in occupation.titles if not any(rule.search(t.lower()) for rule in rules))
        return replace(occupation, titles=tuple(titles))

    occupations = (kept(occupation) for occupation in generated.occupations)
    return replace(
        generated,
        occupations=tuple(one for one in occupations if len(one.titles) >= FEWEST_TITLES),
        facets=tuple(facet for facet in generated.facets if facet.key not in words.test_only_facets()),
    )
