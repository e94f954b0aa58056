"""The cost of bfloat16 and int8 in ranking: the same judged queries scored by the kernels in each arithmetic.

bfloat16 is here what AMD's CPUs compute, dot products of rounded numbers, on whatever CPU has the instructions.
"""

import os
from pathlib import Path

import numpy as np
import torch

from benchmarks.common.report import Result, Row, write
from benchmarks.common.settings import RoundingBenchmark
from models.engine import scoring
from models.engine.base import ScoreJob
from models.engine.checkpoint import Checkpoint, load_checkpoint
from models.engine.decoder import Head
from models.engine.kernel_cache import kernel_cache
from models.engine.kernel_choice import kernel_choice
from models.engine.native.forward import NativeForward, available
from models.engine.native.kernels import KINDS
from models.engine.native.loading import load_kernels
from models.prompts import Prompter
from schemas.errors import ConfigError
from training.components.arrays import Floats
from training.evaluation import intervals
from training.evaluation.metrics import query_ndcg, ranked
from training.judging.records import Judged
from training.tiny import judged_sets
from training.tiny.settings import Sizes

NAME = "rounding"
BUDGET_TOKENS = 8192
Scores = list[Floats]


def measure(settings: RoundingBenchmark, folder: Path) -> Result:
    """Measure, write the result to `folder` and return it; `settings.data` may name a folder of real postings."""
    path = Path(settings.ranker)
    checkpoint = load_checkpoint(path, "ranker")
    kernels = load_kernels(kernel_cache(os.environ), kernel_choice(os.environ))
    if kernels is None:
        raise ConfigError(
            "rounding is a matter of the kernels, which cannot be had here: see the warning above"
        )
    possible = [kind for kind in KINDS if available(kernels, kind, checkpoint.shape)]
    kinds = {kind: NativeForward(checkpoint, kind, 2, kernels) for kind in possible}
    prompter = Prompter.from_dir(path)
    sizes = Sizes(queries=settings.queries, postings=settings.postings)
    tables: dict[str, list[Row]] = {}
    for name, judged in judged_sets.sets(settings.data, sizes):
        scores = {kind: _scores(forward, checkpoint, prompter, judged) for kind, forward in kinds.items()}
        tables[name] = [_row(kind, scores, judged) for kind in kinds]
    result = Result(
        name=NAME,
        title="What rounding costs in ranking",
        settings={"ranker": settings.ranker, "queries": settings.queries, "postings": settings.postings},
        tables=tables,
        findings=[_finding(name, rows) for name, rows in tables.items()],
    )
    write(result, folder)
    return result


def _scores(
    forward: NativeForward, checkpoint: Checkpoint, prompter: Prompter, judged: list[Judged]
) -> Scores:
    """p_yes of each query's items."""
    head, found = Head(checkpoint, dtype=torch.float32, device=torch.device("cpu")), Scores()
    for one in judged:
        items = prompter.item_ids_many(one.items)
        job = ScoreJob(
            prefix=prompter.prefix_ids(one.query),
            items=items,
            labels=[list(prompter.label_ids)] * len(items),
            softmax_over_labels=True,
            temperature=1.0,
        )
        found.append(np.array([row[0] for row in scoring.score_many(forward, head, [job], BUDGET_TOKENS)[0]]))
    return found


def _row(kind: str, scores: dict[str, Scores], judged: list[Judged]) -> Row:
    exact, here = scores["float32"], scores[kind]
    found, wanted = _ndcgs(here, judged), _ndcgs(exact, judged)
    mean, low, high = intervals.bootstrap(judged, lambda rows: float(np.nanmean((found - wanted)[rows])))
    orders = [
        bool((ranked(p, one.posting_ids) == ranked(q, one.posting_ids)).all())
        for p, q, one in zip(here, exact, judged, strict=True)
    ]
    return {
        "arithmetic": kind,
        "NDCG@10": f"{np.nanmean(found):.4f}",
        "against float32": f"{mean:+.4f} ({low:+.4f} to {high:+.4f})",
        "max |Δp|": f"{max(float(np.abs(p - q).max()) for p, q in zip(here, exact, strict=True)):.4f}",
        "queries in the same order": f"{np.mean(orders):.1%}",
    }


def _ndcgs(scores: Scores, judged: list[Judged]) -> Floats:
    return np.array(
        [query_ndcg(p, one.grades, one.posting_ids) for p, one in zip(scores, judged, strict=True)]
    )


def _finding(name: str, rows: list[Row]) -> str:
    return f"{name}: " + ", ".join(f"{row['arithmetic']} {row['against float32']}" for row in rows[1:])
