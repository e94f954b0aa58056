"""A judged set that can be learned and a random Qwen3 to learn it with, small enough for a test."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tests.support.tiny import byte_level_tokenizer, write_checkpoint
from training.components.machine import Machine
from training.components.stopping import Stop
from training.judging.records import Judgement, Split
from training.sft.config import SftConfig, SftStage
from training.sft.examples import Wording
from training.sft.loop import SftResult, Watch
from training.sft.run import Inputs, fine_tune

TRADES = ("welder", "nurse", "driver", "cook")
CPU = Machine(device=torch.device("cpu"))
SMALL = SftConfig(
    stages=(SftStage(epochs=3, rate=3e-3),),
    batch_tokens=1024,
    evaluate_every_steps=6,
    save_every_steps=6,
    best_dtype="float32",
)


def judgement(query: str, trade: str, number: int, split: Split) -> Judgement:
    good = query == trade
    return Judgement(
        query_id=f"{split}-{query}-{number % 2}",
        query=f"{query} {number % 2}",
        posting_id=f"{split}-{trade}-{number}",
        grades={"role": 4 if good else 0},
        label=4 if good else 0,
        soft_label=0.95 if good else 0.05,
        rationale=f" {trade} {'fits' if good else 'differs'}",
        teacher="test@1",
        policy="test@1",
        split=split,
    )


def judgements() -> list[Judgement]:
    splits: tuple[tuple[Split, int], ...] = (("train", 4), ("dev", 2))
    return [
        judgement(query, trade, number, split)
        for split, count in splits
        for query in TRADES
        for trade in TRADES
        for number in range(count)
    ]


def write_postings(path: Path, judged: Sequence[Judgement]) -> Path:
    """Descriptions of many lengths."""
    ids = dict.fromkeys(j.posting_id for j in judged)
    rows = [
        {"id": i, "title": i.split("-")[1], "description": "steel work by day " * (1 + 3 * int(i[-1]))}
        for i in ids
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def world(folder: Path) -> Inputs:
    """A model directory, a postings file, and a file that stands for the judged table."""
    postings = write_postings(folder / "postings.jsonl", judgements())
    (folder / "judged.parquet").write_text("stands for it")
    return Inputs(
        judged=folder / "judged.parquet",
        postings=postings,
        model=write_checkpoint(folder / "model", byte_level_tokenizer()),
    )


def said(judgement: Judgement) -> str:
    return judgement.rationale


WORDING = Wording(suffix="\nGrades:", text=said)


def nobody(metrics: object, total: int) -> None:
    """Watch nothing."""


def tune(
    given: Inputs,
    out: Path,
    config: SftConfig = SMALL,
    *,
    judged: Sequence[Judgement] | None = None,
    watch: Watch = nobody,
    stop: Stop | None = None,
    resume: bool = False,
    machine: Machine = CPU,
) -> SftResult:
    return fine_tune(
        config,
        given,
        out,
        judgements() if judged is None else judged,
        wording=WORDING,
        machine=machine,
        stop=stop or Stop(),
        watch=watch,
        resume=resume,
    )


def stop_after(stop: Stop, step: int) -> Watch:
    """A watcher that asks to stop as a signal would, after a step."""

    def watch(metrics: Any, _total: int) -> None:
        if metrics.step == step:
            stop.signal = 15

    return watch


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[float]:
    return [line["loss"] for line in lines(out)[1:]]
