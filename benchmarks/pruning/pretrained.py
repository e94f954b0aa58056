"""`python -m benchmarks.pruning.pretrained`: a pretrained model pruned by ours and by peers, on texts of real postings.

By default SmolLM2-135M-Instruct, which nobody here trained. Perplexity and KL are those of texts that no contender
calibrated on.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from benchmarks.common.report import FOLDER, Result, Row, command, measured_on, say, write
from benchmarks.common.settings import PretrainedPruningBenchmark
from benchmarks.pruning.contenders import PEERS, ROOT, Bench, ContenderUnavailable, prune_here, prune_there
from benchmarks.pruning.texts import TextMeasure, texts_of
from models.engine.checkpoint import read_shape
from models.prompts import load_tokenizer
from models.pruning import osscar
from models.pruning.config import Osscar
from models.smollm2 import imported
from schemas import arguments
from schemas.errors import ConfigError

NAME = "pruning-pretrained"


def main(argv: Sequence[str] | None = None) -> None:
    """Prune, measure, and write the page."""
    given = arguments.parse(
        PretrainedPruningBenchmark,
        argv,
        prog="python -m benchmarks.pruning.pretrained",
        description=__doc__,
        environ=os.environ,
    )
    torch.set_num_threads(given.threads)
    dense = given.checkpoint or imported(ROOT / "build", given.smollm2)
    with tempfile.TemporaryDirectory(prefix="pruning-") as work:
        title, rows = measure(given, dense, Path(work))
    words = sys.argv[1:] if argv is None else argv
    conditions = measured_on() | {"command": command("benchmarks.pruning.pretrained", words)}
    result = Result(
        name=NAME,
        title=f"{dense.name}, a pretrained model, pruned on texts of real postings",
        settings={name: value for name, value in asdict(given).items() if not isinstance(value, Path)},
        tables={title: rows},
        findings=findings(rows),
    )
    say(f"written: {write(result, given.out or FOLDER, conditions)}")


def measure(given: PretrainedPruningBenchmark, dense: Path, work: Path) -> tuple[str, list[Row]]:
    """The table's title, and a row for each contender after that of the dense model."""
    texts = texts_of(_files(given), load_tokenizer(dense), tokens=given.tokens, held_out=given.held_out)
    bench = Bench(dense=dense, folder=work, prompts=texts.calibration, threads=given.threads)
    bench.prepare()
    size = read_shape(dense).mlp
    kept = round(given.keep * size)
    measured = TextMeasure(dense, texts.held_out)
    rows = [_row("dense", 0.0, [0.0], 0.0, measured.dense())]
    for number, (name, prune) in enumerate(_makers(bench, kept, given).items()):
        rows.append(_pruned(name, prune, work / f"pruned-{number}", measured))
        say(" | ".join(map(str, rows[-1].values())))
    read = sum(map(len, texts.calibration))
    title = (
        f"{kept} of {size} neurons kept, {read:,} calibration tokens in {len(texts.calibration)} texts, "
        f"measured on {len(texts.held_out)} others"
    )
    return title, rows


def findings(rows: Sequence[Row]) -> list[str]:
    """A line for each peer that ran: its figures beside those of ours."""
    ours = next(row for row in rows if str(row["contender"]).startswith("ours"))
    return [
        f"{row['contender']}: KL {row['KL, next token']:.3g}, perplexity {row['perplexity']:.4g} in "
        f"{row['seconds']:.0f} s; {ours['contender']}: {ours['KL, next token']:.3g}, {ours['perplexity']:.4g} "
        f"in {ours['seconds']:.0f} s."
        for row in rows
        if row is not ours and isinstance(row["perplexity"], float) and row["contender"] != "dense"
    ]


def _makers(bench: Bench, kept: int, given: PretrainedPruningBenchmark) -> dict[str, Callable[[Path], float]]:
    step, only = given.step, [word for word in given.only.split(",") if word]

    def solve(hessian: torch.Tensor, weights: torch.Tensor, k: int) -> osscar.Pruned:
        return osscar.prune(hessian, weights, k, Osscar(step=step))

    peers = [name for name in PEERS if not only or any(word in name for word in only)]
    return {
        f"ours, t = {step}": partial(prune_here, bench, solve, kept),
        **{_named(name, step): partial(prune_there, bench, name, kept, step=step) for name in peers},
    }


def _named(peer: str, step: int) -> str:
    return f"{peer}, t = {step}" if peer.startswith("fmchisel") else peer


def _pruned(name: str, prune: Callable[[Path], float], out: Path, measured: TextMeasure) -> Row:
    try:
        seconds = prune(out)
    except ContenderUnavailable as reason:
        return {**_row(name, 0.0, [0.0], 0.0, 0.0), "seconds": str(reason), "perplexity": "–"}
    lost = measured.lost(out)
    return _row(name, seconds, lost.errors, lost.kl, lost.perplexity)


def _row(name: str, seconds: float, errors: Sequence[float], kl: float, perplexity: float) -> Row:
    return {
        "contender": name,
        "seconds": seconds,
        "% lost, mean of layers": 100 * sum(errors) / len(errors),
        "most of a layer": 100 * max(errors),
        "KL, next token": kl,
        "perplexity": perplexity,
    }


def _files(given: PretrainedPruningBenchmark) -> list[Path]:
    found = [given.postings] if given.postings else sorted((given.data or Path()).glob("postings_*.jsonl*"))
    if not found or not (given.data or given.postings):
        raise ConfigError("no real postings: give --postings FILE, or --data DIR (docs/data.md)")
    return found


if __name__ == "__main__":
    main()
