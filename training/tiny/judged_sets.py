"""Sets of judged queries by which tiny checkpoints are measured: generated ones, and real ones if files are there."""

from __future__ import annotations

from pathlib import Path
from random import Random

from training.judging.drawing import Domain
from training.judging.records import Judged
from training.rules import judged_queries
from training.synthetic import lexicon
from training.synthetic.facts import grade
from training.synthetic.postings import METADATA_TYPES, GeneratedPosting, Writer, pick
from training.synthetic.queries import Asker
from training.tiny.encoding import item_of
from training.tiny.settings import Sizes

SAME = 8
"""Candidates of the query's own occupation, at most, beside the posting asked about."""
REAL: dict[str, Domain] = {"postings_nhs": "health", "postings_hn": "technology"}


def sets(data: Path | None, sizes: Sizes) -> list[tuple[str, list[Judged]]]:
    """Named sets of judged queries: the generated one, and one for each file of REAL that the folder `data` holds."""
    found = [(name, data / f"{name}.jsonl.gz", domain) for name, domain in REAL.items()] if data else []
    real = [
        (name, judged_queries.judged_queries(path, domain, sizes.queries, sizes.seed))
        for name, path, domain in found
        if path.is_file()
    ]
    return [("generated", generated(sizes)), *real]


def generated(sizes: Sizes) -> list[Judged]:
    """Queries over postings of the held-out lexicon, 20 candidates each, about half of the query's occupation."""
    rng, words = Random(sizes.seed), lexicon.load("heldout")
    writer, asker = Writer(words), Asker(words)
    postings = [writer.write(rng) for _ in range(sizes.postings)]
    items = [item_of(p, p.description) for p in postings]
    number = {id(p): n for n, p in enumerate(postings)}
    out: list[Judged] = []
    while len(out) < sizes.queries:
        source = pick(rng, postings)
        query = asker.ask(rng, source.facts, source.title)
        same = [p for p in postings if p.facts.occupation.key == source.facts.occupation.key]
        chosen = [source, *rng.sample(same, min(SAME, len(same))), *rng.sample(postings, 20 - SAME - 1)]
        grades = tuple(grade(query, p.facts.occupation, p.facts.town, evidence(p)) for p in chosen)
        if 0 < sum(g >= 3 for g in grades) < len(grades):
            places = [number[id(p)] for p in chosen]
            out.append(
                Judged(
                    query=query.text,
                    posting_ids=tuple(f"generated-{n:06d}" for n in places),
                    items=tuple(items[n] for n in places),
                    grades=grades,
                )
            )
    return out


def evidence(posting: GeneratedPosting) -> set[str]:
    """What the text and fields of a generated posting state, by which `grade` grades it."""
    stated = {f"facet:{k}" for k, v in METADATA_TYPES.items() if v == posting.employment_type}
    return {tag for piece in posting.pieces for tag in piece.evidence} | (stated & posting.facts.evidence())
