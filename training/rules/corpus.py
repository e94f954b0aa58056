"""The postings of one split with their evidence and the indices from which queries are drawn."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import track

from models.writing import write_whole
from training.judging.drawing import Domain
from training.judging.postings import PostingRow
from training.judging.records import Split
from training.rules.evidence import Evidence, evidence
from training.rules.lexicon.entries import DOMAINS, RuleLexicon, lexicon

FEWEST_OF_OCCUPATION = 5
FEWEST_IN_PLACE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """One split's postings and, in the same order, their evidence.

    `of_occupation`: the positions in `postings` of an occupation's; `places`: how many postings a place has.
    """

    split: Split
    words: RuleLexicon
    postings: tuple[PostingRow, ...]
    found: tuple[Evidence, ...]
    of_occupation: Mapping[str, tuple[int, ...]]
    places: Mapping[str, int]
    share: Mapping[str, Mapping[str, float]]
    """By occupation and facet, the share of the occupation's postings that state the facet."""

    @classmethod
    def of(
        cls, split: Split, words: RuleLexicon, postings: Sequence[PostingRow], known: Mapping[str, Evidence]
    ) -> Corpus:
        """Make the corpus of a split's postings; `known` has the evidence of each by its id."""
        found = tuple(known[posting.posting_id] for posting in postings)
        named = {
            key: tuple(
                i for i, f in enumerate(found) if not ({key} | occupation.includes).isdisjoint(f.occupations)
            )
            for key, occupation in words.occupations.items()
        }
        enough = {
            key: positions for key, positions in named.items() if len(positions) >= FEWEST_OF_OCCUPATION
        }
        places = Counter(f.place for f in found if f.place)
        return cls(
            split=split,
            words=words,
            postings=tuple(postings),
            found=found,
            of_occupation=enough,
            places={place: count for place, count in places.items() if count >= FEWEST_IN_PLACE},
            share={key: _share(found, positions) for key, positions in enough.items()},
        )


def domain_of(postings: Sequence[PostingRow]) -> Domain:
    """The domain whose lexicon recognises most of the titles."""
    titles = [posting.item.title.lower() for posting in postings[:: max(1, len(postings) // 300)]]

    def named(domain: Domain) -> int:
        rules = [occupation.title for occupation in lexicon(domain).occupations.values()]
        return sum(any(rule.search(title) for rule in rules) for title in titles)

    return max(DOMAINS, key=named)


def all_evidence(
    postings: Sequence[PostingRow], words: RuleLexicon, cache: Path | None = None
) -> dict[str, Evidence]:
    """The evidence of each posting by its id; the folder `cache` keeps it for the same rules and the same texts."""
    kept = cache / f"{words.domain}-{_fingerprint(postings)}.json" if cache else None
    if kept and kept.exists():
        return {key: Evidence.from_json(row) for key, row in json.loads(kept.read_text("utf-8")).items()}
    shown = track(postings, description=f"evidence ({words.domain})", disable=not sys.stderr.isatty())
    found = {posting.posting_id: evidence(posting, words) for posting in shown}
    if kept:
        rows = json.dumps({key: f.as_json() for key, f in found.items()})
        write_whole(kept, rows, concurrent=True)
    return found


def _share(found: Sequence[Evidence], positions: Sequence[int]) -> dict[str, float]:
    counts = Counter(key for i in positions for key in found[i].stated)
    return {key: count / len(positions) for key, count in counts.items()}


def _fingerprint(postings: Sequence[PostingRow]) -> str:
    """Hash over the postings and the rules' source files."""
    digest = hashlib.blake2b(digest_size=12)
    for posting in postings:
        digest.update(repr((posting.posting_id, posting.item)).encode())
    here = Path(__file__).parent
    for rules in sorted([*here.glob("lexicon/*"), here / "evidence.py", here / "places.py"]):
        if rules.is_file():
            digest.update(rules.read_bytes())
    return digest.hexdigest()
