"""Searches and postings of the benchmark: generated queries with filters, and short postings like summaries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from pipeline.match import query_terms
from schemas.clean import TEXT_RULES
from schemas.records import FeatureRecord, SavedSearch
from training.synthetic.lexicon import load
from training.synthetic.postings import GeneratedPosting, Writer
from training.synthetic.queries import Asker

WORDS = 45
"""Words of a posting's summary."""
MOST_WORDS = 8
"""Words of a query that are compared, at most."""
PLACED, TYPED, REMOTE = 0.5, 0.3, 0.2
"""Shares of the searches that name a place, an employment type, or whether work is remote."""
_ABOUT = 5_000
"""Generated postings that searches are worded about: writing one takes longer than wording a search."""


def searches(count: int, seed: int) -> Iterator[SavedSearch]:
    """Saved searches in the generated searchers' words; a third of them with filters of each kind."""
    random, lexicon = Random(seed), load("all")
    writer, asker = Writer(lexicon, noisy=False), Asker(lexicon)
    about = [writer.write(random, richness=0.0) for _ in range(min(count, _ABOUT))]
    towns = sorted({posting.location for posting in about if posting.location})
    for number in range(count):
        posting = about[number % len(about)]
        query = _short(asker, random, posting)
        yield SavedSearch(
            search_id=f"search-{number:07}",
            query=query,
            location=random.choice(towns) if random.random() < PLACED else None,
            employment_type=random.choice(("full-time", "part-time", "contract"))
            if random.random() < TYPED
            else None,
            remote=random.random() < 0.5 if random.random() < REMOTE else None,
        )


def _short(asker: Asker, random: Random, posting: GeneratedPosting) -> str:
    """A query that perq can hold: half of more words would be more than its 64 clauses."""
    while True:
        query = asker.ask(random, posting.facts, posting.title).text
        if 1 <= len(query_terms(query)[0]) <= MOST_WORDS:
            return query


def postings(count: int, seed: int) -> list[FeatureRecord]:
    """Open postings whose summaries are the first words of their descriptions."""
    random, writer = Random(seed), Writer(load("all"))
    return [_record(f"posting-{number}", writer.write(random, richness=0.1)) for number in range(count)]


def _record(posting_id: str, posting: GeneratedPosting) -> FeatureRecord:
    record = FeatureRecord(posting_id=posting_id, version=1, content_version=1, text_rules=TEXT_RULES)
    return replace(
        record,
        input_hash=b"i" * 16,
        summary_hash=b"i" * 16,
        summary_version=1,
        title=posting.title,
        company=posting.company,
        location=posting.location,
        employment_type=posting.employment_type,
        remote=posting.remote,
        summary=" ".join(posting.description.split()[:WORDS]),
    )
