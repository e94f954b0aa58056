"""What the rules understand of queries that they were not written for.

`python -m training.rules.understanding POSTINGS DOMAIN` draws queries with their needs as the judged test queries
are drawn (`training/rules`), and counts: places asked for that are read, places that nobody asked for, denials for
which a filter is set, and the pairs of each grade that the filters refuse. A posting's whole text stands for its
summary, so that a must-not refuses at least as many as in operation.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from pipeline.filters import filters_pass
from pipeline.understanding.rules import RuleUnderstanding
from pipeline.understanding.understood import Understanding
from schemas import fields
from schemas.records import FeatureRecord
from training.judging.drawing import Domain
from training.judging.policy import MATCHING, load_policy
from training.judging.postings import PostingRow, read_postings
from training.rules.judge import JudgeConfig, pooled, prepare
from training.rules.judged_queries import CACHE
from training.rules.pools import JudgedPools
from training.rules.teacher import Needs, RuleTeacher

QUERIES, SEED = 150, 77
_DENIALS = frozenset(("must_not", "remote", "employment_type"))


def count(
    understanding: Understanding, asked: Iterable[tuple[str, Needs, list[tuple[PostingRow, int]]]]
) -> Counter[str]:
    """Counts over (query, needs, judged postings with their grades)."""
    counts: Counter[str] = Counter()
    for query, needs, judged in asked:
        made = understanding.understand(query)
        places = [part.value.lower() for part in made.parts if part.name == "location"]
        counts["queries"] += 1
        counts["queries with a filter"] += bool(made.parts)
        counts["places asked for"] += needs.place is not None
        counts["of them read"] += needs.place in places
        counts["places that nobody asked for"] += needs.place is None and bool(places)
        counts["denials"] += needs.without is not None
        counts["of them set"] += needs.without is not None and any(p.name in _DENIALS for p in made.parts)
        for posting, grade in judged if made.parts else ():
            kind = "good" if grade >= 3 else "poor" if grade <= 1 else "middling"
            counts[f"{kind} pairs"] += 1
            counts[f"{kind} pairs refused"] += not filters_pass(made.search("-"), record(posting))
    return counts


def record(posting: PostingRow) -> FeatureRecord:
    """The posting as a feature record whose summary is its whole text."""
    item = posting.item
    return FeatureRecord(
        posting_id=posting.posting_id,
        version=0,
        title=item.title,
        company=item.company,
        location=item.location,
        employment_type=fields.employment_type(item.employment_type, "employment_type"),
        remote=fields.remote(item.remote, "remote"),
        summary=item.text,
    )


def drawn(postings: Path, domain: Domain) -> Iterable[tuple[str, Needs, list[tuple[PostingRow, int]]]]:
    """Queries over the companies of the test split, with their judged pools."""
    prepared, policy = prepare(list(read_postings(postings)), domain, CACHE), load_policy(MATCHING)
    corpus = prepared.corpus("test")
    teacher = RuleTeacher(prepared.words, prepared.known)
    pools = JudgedPools(corpus, teacher, policy.aggregate, JudgeConfig().pool, None)
    for query, found in pooled(corpus, pools, SEED, QUERIES):
        graded = [(corpus.postings[one.position], policy.aggregate(one.verdict.grades)) for one in found]
        yield query.ask.query, query.needs, graded


def main(argv: list[str]) -> None:
    """Print the counts of one file of postings."""
    counts: Counter[Any] = count(RuleUnderstanding(), drawn(Path(argv[0]), cast("Domain", argv[1])))
    for name, number in counts.items():
        sys.stdout.write(f"{number:6} {name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
