"""What a smaller depth costs in NDCG@10: the best of many candidates by words, ranked by the shipped ranker.

Postings and queries are generated, so that every pair has a grade by the facts that both were made from.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.common.report import Row
from models.engine.checkpoint_engine import EngineConfig
from models.prompts import Item
from models.server.in_process import InProcessRanker
from pipeline.match import match_score
from schemas.records import FeatureRecord, SavedSearch
from training.components.arrays import Floats, Ints
from training.evaluation.intervals import bootstrap
from training.evaluation.metrics import query_ndcg
from training.judging.records import Judged
from training.synthetic import lexicon
from training.synthetic.facts import grade
from training.synthetic.postings import Writer, pick
from training.synthetic.queries import Asker
from training.tiny.encoding import item_of
from training.tiny.judged_sets import evidence

DEPTHS = (250, 200, 131, 100, 50)
NDCG = "NDCG@10"


def pools(queries: int, postings: int, seed: int = 20) -> list[Judged]:
    """Queries with the 250 of `postings` that fit best by the matcher's score, in that order; one at least is good."""
    rng, words = Random(seed), lexicon.load("heldout")
    writer, asker = Writer(words), Asker(words)
    written = [writer.write(rng) for _ in range(postings)]
    items = [item_of(one, one.description) for one in written]
    features, stated = [_feature(n, item) for n, item in enumerate(items)], [evidence(one) for one in written]
    found: list[Judged] = []
    while len(found) < queries:
        source = pick(rng, written)
        query = asker.ask(rng, source.facts, source.title)
        search = SavedSearch(search_id="s", query=query.text)
        scores = [match_score(search, one) for one in features]
        best = sorted(range(postings), key=lambda n: (-scores[n], n))[: DEPTHS[0]]
        grades = [grade(query, written[n].facts.occupation, written[n].facts.town, stated[n]) for n in best]
        if max(grades) >= 3:
            ids = tuple(f"generated-{n:06d}" for n in best)
            found.append(
                Judged(
                    query=query.text,
                    posting_ids=ids,
                    items=tuple(items[n] for n in best),
                    grades=tuple(grades),
                )
            )
    return found


def costs(judged: Sequence[Judged], ranker: Path, threads: int) -> list[Row]:
    """A row for each depth: NDCG@10 with the candidates beyond it unranked, and the difference to the deepest."""
    model = InProcessRanker(ranker, EngineConfig(role="ranker", threads=threads))
    scores = [np.array(model.score_many(one.query, one.items, 0.0)) for one in judged]
    by_depth = {depth: _ndcgs(judged, scores, depth) for depth in DEPTHS}
    rows: list[Row] = []
    for depth, found in by_depth.items():
        difference = found - by_depth[DEPTHS[0]]
        mean, low, high = bootstrap(judged, partial(_mean, difference))
        rows.append(
            {
                "depth": depth,
                "work": f"{depth / DEPTHS[0]:.0%}",
                NDCG: f"{np.nanmean(found):.4f}",
                "difference": f"{mean:+.4f} ({low:+.4f} to {high:+.4f})",
            }
        )
    return rows


def _mean(of: Floats, drawn: Ints) -> float:
    return float(np.nanmean(of[drawn]))


def _ndcgs(judged: Sequence[Judged], scores: Sequence[Floats], depth: int) -> Floats:
    kept = [np.where(np.arange(len(one)) < depth, one, -1.0) for one in scores]
    return np.array([query_ndcg(p, one.grades, one.posting_ids) for p, one in zip(kept, judged, strict=True)])


def _feature(number: int, item: Item) -> FeatureRecord:
    return FeatureRecord(
        posting_id=f"p{number}",
        version=0,
        title=item.title,
        company=item.company,
        location=item.location,
        employment_type=item.employment_type,
        remote=item.remote,
        summary=item.text,
    )
