"""`python -m benchmarks pruning`: OSSCAR beside its peers, on one checkpoint and the same calibration tokens."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random

import torch

from benchmarks.common import plots
from benchmarks.common.report import Result, Row, say, write
from benchmarks.common.settings import PruningBenchmark
from benchmarks.pruning import kernel, memory
from benchmarks.pruning.contenders import PEERS, Bench, ContenderUnavailable, ours, prune_here, prune_there
from benchmarks.pruning.measures import Lost, Measure, change
from models.engine.checkpoint import read_shape
from models.prompts import Item, Prompter
from models.pruning.calibration import CalibrationSet, prompts_of
from models.pruning.config import CalibrationSize
from training.judging.records import Judged
from training.synthetic import lexicon
from training.synthetic.postings import Writer
from training.synthetic.queries import Asker
from training.tiny import judged_sets
from training.tiny.encoding import item_of
from training.tiny.settings import Sizes

NAME = "pruning"
Make = Callable[[Path], float]


def measure(settings: PruningBenchmark, folder: Path) -> Result:
    """Measure, write the result to `folder` and return it; `settings.data` may name a folder of real postings."""
    torch.set_num_threads(settings.threads)
    with tempfile.TemporaryDirectory(prefix="pruning-") as name:
        work = Path(name)
        tables, kernels = _models(settings, work), _kernel(settings, work)
        memories = _memory(settings, work)
    plots.bars(
        folder / f"{NAME}.png",
        "Share of the MLPs' output lost (mean, least and most of the layers)",
        "%",
        _bars(tables),
    )
    result = Result(
        name=NAME,
        title="Pruning hidden neurons, beside peers",
        settings={name: value for name, value in asdict(settings).items() if name != "data"},
        tables=tables
        | ({"One layer, one neuron a step": kernels} if kernels else {})
        | ({"Memory of `nearline prune mlp`": memories} if memories else {}),
        findings=_findings(tables, kernels, memories),
        plots=[f"{NAME}.png"],
    )
    write(result, folder)
    return result


def calibration_pairs(seed: int = 0) -> Iterator[tuple[str, Item]]:
    """Generate (search, posting) pairs of the train lexicon, without end."""
    rng, words = Random(seed), lexicon.load("train")
    writer, asker = Writer(words), Asker(words)
    while True:
        posting = writer.write(rng)
        yield asker.ask(rng, posting.facts, posting.title).text, item_of(posting, posting.description)


def _models(settings: PruningBenchmark, work: Path) -> dict[str, list[Row]]:
    dense = Path(settings.ranker)
    prompter, size = Prompter.from_dir(dense), read_shape(dense).mlp
    read = CalibrationSet(prompts_of(calibration_pairs(), prompter), CalibrationSize(tokens=settings.tokens))
    prompts = [ids for batch in read.batches() for ids in batch]
    bench = Bench(dense=dense, folder=work, prompts=prompts, threads=settings.threads)
    bench.prepare()
    sizes = Sizes(queries=settings.queries, postings=settings.postings)
    judged = dict(judged_sets.sets(settings.data, sizes)[: 1 + settings.real_sets])
    measure = Measure(dense, _held_out(judged["generated"], prompter, settings.held_out), judged)
    kept = settings.kept or tuple(sorted({size // 2, -(-(size // 2) // 128) * 128}))
    only = [word for word in settings.only.split(",") if word]
    return {f"{k} of {size} neurons kept": _table(bench, measure, k, only) for k in kept}


def _held_out(judged: list[Judged], prompter: Prompter, count: int) -> list[list[int]]:
    pairs = [(one.query, item) for one in judged for item in one.items]
    return list(islice(prompts_of(Random(0).sample(pairs, len(pairs)), prompter), count))


def _table(bench: Bench, measure: Measure, kept: int, only: list[str]) -> list[Row]:
    makers: dict[str, Make] = {
        name: partial(prune_here, bench, solve, kept) for name, solve in ours().items()
    }
    makers |= {name: partial(prune_there, bench, name, kept) for name in PEERS}
    rows = []
    for number, (name, prune) in enumerate(_chosen(makers, only).items()):
        out = bench.folder / f"{kept}-{number}"
        try:
            seconds = prune(out)
            rows.append(_row(name, seconds, measure.lost(out), measure))
        except ContenderUnavailable as reason:
            rows.append(_missing(name, reason, rows[0]))
        say(f"{kept} neurons kept: {' | '.join(map(str, rows[-1].values()))}")
    return rows


def _chosen(makers: dict[str, Make], only: list[str]) -> dict[str, Make]:
    return {n: m for n, m in makers.items() if not only or n.startswith("ours") or any(w in n for w in only)}


def _row(name: str, seconds: float, lost: Lost, measure: Measure) -> Row:
    changes = {
        f"NDCG@10 {of}": "{:+.4f} ({:+.4f} to {:+.4f})".format(*change(values, measure.dense_ndcgs[of]))
        for of, values in lost.ndcgs.items()
    }
    return {
        "contender": name,
        "seconds": seconds,
        "% lost, mean of layers": 100 * sum(lost.errors) / len(lost.errors),
        "% lost by layer": " ".join(f"{100 * error:.2f}" for error in lost.errors),
        "KL, next token": lost.kl_token,
        "KL, label": lost.kl_label,
        **changes,
    }


def _missing(name: str, reason: ContenderUnavailable, like: Row) -> Row:
    return dict.fromkeys(like, "") | {"contender": name, "% lost by layer": str(reason)}


def _kernel(settings: PruningBenchmark, work: Path) -> list[Row]:
    if not settings.kernel:
        return []
    say(f"one layer of {settings.kernel} x {settings.kernel_width}, one neuron a step")
    plain = bool(settings.plain)
    return kernel.rows(settings.kernel, settings.kernel_width, work / "kernel", settings.threads, plain=plain)


def _memory(settings: PruningBenchmark, work: Path) -> list[Row]:
    if not settings.memory_tokens:
        return []
    say(f"memory at {settings.memory_tokens} tokens and at eight times as many")
    return memory.rows(Path(settings.ranker), settings.memory_tokens, work / "memory", settings.threads)


def _bars(tables: dict[str, list[Row]]) -> dict[str, dict[str, dict[str, float]]]:
    def spread(row: Row) -> dict[str, float]:
        shares = [float(share) for share in str(row["% lost by layer"]).split()]
        return {"median": sum(shares) / len(shares), "low": min(shares), "high": max(shares)}

    return {
        title: {str(row["contender"]): spread(row) for row in rows if row["KL, label"] != ""}
        for title, rows in tables.items()
    }


def _findings(tables: dict[str, list[Row]], kernels: list[Row], memories: list[Row]) -> list[str]:
    found = []
    for title, rows in tables.items():
        ran = [row for row in rows if row["KL, label"] != ""]
        best = min(ran, key=lambda row: float(str(row["% lost, mean of layers"])))
        found.append(
            f"{title}: ours at t = 1 loses {ran[0]['% lost, mean of layers']:.3g}% of the MLPs' output on held-out "
            f"prompts; the least of all is {best['% lost, mean of layers']:.3g}% ({best['contender']})."
        )
    if kernels:
        times = [float(str(row["seconds"])) for row in kernels]
        found.append(
            f"One layer, t = 1: ours {times[0]:.1f} s, fmchisel {times[-1]:.1f} s ({times[-1] / times[0]:.1f} x)."
        )
    if memories:
        first, last = (float(str(row["peak MiB"])) for row in memories)
        found.append(f"Eight times the calibration tokens: {first:,.0f} MiB -> {last:,.0f} MiB at the peak.")
    return found
