"""A sweep of two runs of two steps over a tiny random checkpoint: all of it in a second or two."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.support.tiny import byte_level_tokenizer, write_checkpoint
from tests.training.rl.world import WordScorer
from training.evaluation.settings import BootstrapConfig, EvaluationConfig, RankerPlace
from training.judging.postings import read_postings
from training.judging.splits import split
from training.rl.config import RlConfig
from training.rl.run import RlInputs
from training.rl.sweep.grid import Grid, Row
from training.rl.sweep.held_out import OpenScorer
from training.rl.sweep.runs import Sweep
from training.rl.sweep.settings import SweepConfig, SweepInputs

TEXT = """
ward nights steel welding python kafka care home children school bread oven driver lorry garden trees law court sales
shop lead team shifts weekend remote office degree licence pension bonus travel patients machines files tests tools
"""
WORDS = TEXT.split()
RUN = RlConfig(
    steps=2,
    postings=2,
    group=2,
    queries=2,
    updates=1,
    dev_postings=2,
    evaluate_every_steps=1,
    save_every_steps=2,
    share=0.3,
)
CONFIG = SweepConfig(
    grid=Grid(
        rows=(Row(algorithm="dr_grpo", penalty="p2", w=0.4), Row(algorithm="gspo", penalty="p1", w=1.0)),
        seeds=(1,),
    ),
    run=RUN,
    shares=(0.5,),
    baselines=("none", "lead"),
    evaluation=EvaluationConfig(bootstrap=BootstrapConfig(resamples=200)),
)


def inputs(folder: Path) -> SweepInputs:
    """Write postings, judged queries over the test split and a checkpoint that is ranker and summarizer's body."""
    model = write_checkpoint(folder / "tiny", byte_level_tokenizer())
    postings = folder / "postings.jsonl"
    postings.write_text("".join(json.dumps(_posting(number)) + "\n" for number in range(60)))
    held = [row.posting_id for row in split(list(read_postings(postings))).postings["test"]]
    judged = folder / "judged.jsonl"
    judged.write_text("".join(json.dumps(_query(word, held)) + "\n" for word in WORDS[:6]))
    run = RlInputs(model=model, ranker=RankerPlace(name=str(model), device="cpu"), postings=(postings,))
    return SweepInputs(run=run, judged=judged)


def small(folder: Path, out: str, scorers: OpenScorer = lambda _: WordScorer(), **more: Any) -> Sweep:
    """The sweep in `folder / out`."""
    say: Callable[[str], object] = more.pop("say", lambda _: None)
    given = more.pop("given", None) or inputs(folder)
    return Sweep(
        config=more.pop("config", CONFIG),
        given=given,
        out=folder / out,
        say=say,
        scorers=scorers,
        draw=lambda *_: None,
        **more,
    )


def _posting(number: int) -> dict[str, Any]:
    rng = Random(number)
    text = ". ".join(" ".join(rng.sample(WORDS, 6)) for _ in range(6))
    return {
        "id": f"p{number}",
        "title": rng.choice(WORDS),
        "company": f"company {number}",
        "description": text,
    }


def _query(word: str, held: list[str]) -> dict[str, Any]:
    rng = Random(word)
    return {"query": word, "items": [{"id": posting, "grade": rng.randrange(5)} for posting in held[:6]]}
