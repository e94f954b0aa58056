"""Splits by company: no posting, no company and no near-duplicate stands in two of them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.errors import ConfigError
from training.judging.duplicates import near_duplicates
from training.judging.postings import PostingRow
from training.judging.records import Split

SHARES: tuple[tuple[Split, float], ...] = (("train", 0.75), ("dev", 0.05), ("test", 0.20))
MOST_JOINED = 0.05
"""Largest share of all postings in companies joined by near-duplicates; where it is reached, duplicates are dropped."""
_NO_COMPANY = frozenset(
    {"", "url", "edited", "none", "null", "edit", "confidential", "stealth", "stealth startup"}
)
_LEGAL = re.compile(r"\b(?:inc|ltd|limited|llc|gmbh|corp|plc|co|bv|ab|sa|the)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """Postings by split, in file order, and the ids dropped because a near-duplicate is in a larger split."""

    postings: Mapping[Split, tuple[PostingRow, ...]]
    dropped: tuple[str, ...]


def company_of(posting: PostingRow) -> str:
    """A posting's company in a normal spelling; each posting without a company counts as a company of its own."""
    plain = re.sub(r"[^a-z0-9]+", " ", (posting.item.company or "").lower()).strip()
    plain = " ".join(_LEGAL.sub(" ", plain).split())
    return f"posting {posting.posting_id}" if plain in _NO_COMPANY else plain


def split(postings: Sequence[PostingRow]) -> Splits:
    """Assign postings to splits by their company; the result depends on the postings alone, not on any seed."""
    by_id = {posting.posting_id: posting for posting in postings}
    twins = near_duplicates(list(by_id.values()))
    company = {key: company_of(posting) for key, posting in by_id.items()}
    group = _joined(company, twins)
    side = {key: _side(group[company[key]]) for key in by_id}
    dropped = _across(side, twins)
    kept = {
        name: tuple(p for k, p in by_id.items() if side[k] == name and k not in dropped) for name, _ in SHARES
    }
    return Splits(postings=kept, dropped=tuple(sorted(dropped)))


def check_no_leak(postings: Mapping[Split, Sequence[PostingRow]]) -> None:
    """Raise ConfigError naming an id, or a posting and its near-duplicate, that are in two splits."""
    refuse_shared((row.posting_id, name) for name, rows in postings.items() for row in rows)
    side = {row.posting_id: name for name, rows in postings.items() for row in rows}
    for one, other in near_duplicates([row for rows in postings.values() for row in rows]):
        if side[one] != side[other]:
            raise ConfigError(
                f"postings {one} ({side[one]}) and {other} ({side[other]}) are near-duplicates in two splits: "
                "put them into one, or drop one"
            )


def shared(placed: Iterable[tuple[str, Split]]) -> dict[str, tuple[Split, ...]]:
    """The ids of postings that stand in more than one split, with those splits; `placed`: ids with a split each."""
    found: dict[str, dict[Split, None]] = {}
    for posting_id, name in placed:
        found.setdefault(posting_id, {})[name] = None
    return {posting_id: tuple(names) for posting_id, names in found.items() if len(names) > 1}


def refuse_shared(placed: Iterable[tuple[str, Split]], where: str = "") -> None:
    """Raise ConfigError naming a posting that stands in more than one split; `where` begins the message."""
    for posting_id, names in shared(placed).items():
        raise ConfigError(
            f"{where}posting {posting_id} stands in the splits {' and '.join(names)}: each posting belongs to one split"
        )


def _side(group: str) -> Split:
    place = stable(f"split {group}")
    for name, share in SHARES:
        if place < share:
            return name
        place -= share
    return "test"


def _joined(company: Mapping[str, str], twins: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Each company's group: companies that share near-duplicates are joined, most shared first, up to MOST_JOINED."""
    size = Counter(company.values())
    parent = {name: name for name in size}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    shared = Counter(tuple(sorted((company[a], company[b]))) for a, b in twins if company[a] != company[b])
    for (one, other), _ in sorted(shared.items(), key=lambda pair: (-pair[1], pair[0])):
        low, high = sorted((root(one), root(other)))
        if low != high and size[low] + size[high] <= max(2, MOST_JOINED * len(company)):
            parent[high] = low
            size[low] += size[high]
    return {name: root(name) for name in parent}


def _across(side: Mapping[str, Split], twins: Iterable[tuple[str, str]]) -> set[str]:
    """Ids to drop so that no near-duplicates are in two splits: of each such pair the one in the smaller split."""
    rank = {name: position for position, (name, _) in enumerate(sorted(SHARES, key=lambda s: s[1]))}
    neighbours = defaultdict(set)
    for one, other in twins:
        if side[one] != side[other]:
            neighbours[one].add(other)
            neighbours[other].add(one)
    dropped: set[str] = set()
    for key in sorted(neighbours, key=lambda k: (rank[side[k]], k)):
        if any(rank[side[other]] > rank[side[key]] and other not in dropped for other in neighbours[key]):
            dropped.add(key)
    return dropped


def stable(text: str) -> float:
    """A number in [0, 1) from a hash of the text: the same in every run, so that it can assign texts to splits."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest()) / (1 << 56)
