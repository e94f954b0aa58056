"""The paper's tables 7 to 9 and its serving steps beside ours: throughput, tokenization, the ranker over retrieval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from training.evaluation.paper.kept import KeptBenchmarks, row_of
from training.evaluation.paper.page import NOT_MEASURED

ENGINE, SERVER, RETRIEVAL = "engine", "model-server", "retrieval"

TABLE_7 = (
    ("600M, full descriptions", 330, "Dense shape, 2 items of 900 tokens, 70 of them shared"),
    ("375M, full descriptions", 420, "Pruned shape, 2 items of 900 tokens, 70 of them shared"),
    ("375M, summaries", 1530, "Pruned shape, 10 items of 220 tokens, 70 of them shared"),
)
"""Model and text, the paper's items a second on one H100, the case of our engine's benchmark."""
ARRIVALS = "Poisson arrivals: tiny shape, 10 items of 220 tokens, 70 of them shared"

TABLE_8 = {1: 1.0, 2: 1.7, 4: 2.8, 8: 5.2}
"""Texts in one call, how many times as fast as one by one."""
TOKENIZATION = "Tokenization alone: texts of at least 200 tokens in one call and one by one"

TABLE_9 = (
    ("poor-match rate@10", "-19.84%", "-26.69%"),
    ("NDCG@10", "+5.54%", "+8.45%"),
)
"""Measure, the paper's change by the uncompressed ranker and by the compressed one, both over retrieval alone."""
USERS = (("job sessions", "+0.59%"), ("weekly active users", "+1.49%"), ("dismissed jobs", "-7.15%"))
AGAINST_RETRIEVAL = "The ranker against retrieval alone"
"""Table of `retrieval.json` with the columns `measure` (as in TABLE_9), `on`, `retrieval alone`, `ranked`, `change`."""

GAIN = "The shipped model's shape: 50 items of 200 tokens with and without sharing 50 of them"
PAUSES = "Pauses in the server since its start"


def serving(kept: KeptBenchmarks) -> Iterator[str]:
    """Lines of tables 7, 8, 9 and the serving steps; what was not measured is told so."""
    yield from ("", "## Table 7: throughput", "")
    yield from _throughput(kept)
    yield from ("", "## Table 8: tokenization in one call", "")
    yield from _tokenization(kept)
    yield from ("", "## Table 9: the ranker against retrieval alone", "")
    yield from _against_retrieval(kept)
    yield from ("", "## Serving steps (the paper's section 5.2)", "")
    yield from _steps(kept)


def missing(name: str) -> str:
    """What a cell says where a benchmark's file, or that part of it, is not there."""
    return f"{NOT_MEASURED} (`{name}.json`)"


def measured_on(kept: KeptBenchmarks, name: str) -> Iterator[str]:
    """A line with the benchmark's machine, date and commit; nothing where it was not measured."""
    if where := kept.measured_on(name):
        yield from ("", f"Measured: {where}.")


def _throughput(kept: KeptBenchmarks) -> Iterator[str]:
    yield "| model's shape and text | paper, items/s on one H100 | × the first | ours, float32, items/s | × the first | ours, int8, items/s | × the first |"
    yield "|---|---|---|---|---|---|---|"
    first = {dtype: _speed(kept, TABLE_7[0][2], dtype) for dtype in ("float32", "int8")}
    for title, paper, case in TABLE_7:
        ours = (_ours(_speed(kept, case, dtype), first[dtype]) for dtype in first)
        yield f"| {title} | {paper:,} | {paper / TABLE_7[0][1]:.2f} | {' | '.join(ours)} |"
    yield ""
    yield "The paper raises the rate of Poisson arrivals until the latency's p95 is 500 ms; ours in this table are one request"
    yield "after another, without a bound, on a processor instead of a GPU, with random weights: the factors can be compared, the"
    yield "levels cannot. Each case's own date and commit stand in the table \"Each case's run\" of `engine.md`."
    if arrivals := kept.rows(ENGINE, ARRIVALS):
        at_bound = ", ".join(f"{row['server']} {row['items/s']:.0f} items/s" for row in arrivals)
        yield f"With arrivals and bound as in the paper, for the shipped model's shape and 10 items of 220 tokens: {at_bound}."
    yield from measured_on(kept, ENGINE)


def _speed(kept: KeptBenchmarks, case: str, dtype: str) -> Mapping[str, Any] | None:
    return row_of(kept.rows(ENGINE, case), contender="ours", dtype=dtype)


def _ours(row: Mapping[str, Any] | None, first: Mapping[str, Any] | None) -> str:
    if row is None:
        return f"{missing(ENGINE)} | –"
    factor = f"{row['items/s'] / first['items/s']:.2f}" if first else "–"
    return f"{row['items/s']:.3g} ({row['lowest']:.3g} to {row['highest']:.3g}) | {factor}"


def _tokenization(kept: KeptBenchmarks) -> Iterator[str]:
    rows = kept.rows(ENGINE, TOKENIZATION)
    yield "| texts | paper | ours |"
    yield "|---|---|---|"
    for texts, paper in TABLE_8.items():
        row = row_of(rows, texts=texts)
        ours = f"{row['gain']} ×" if row else missing(ENGINE)
        yield f"| {texts} | {paper} × | {ours} |"
    if rows:
        yield from ("", f"Ours: texts of at least 200 tokens, {rows[0]['threads']} threads.")


def _against_retrieval(kept: KeptBenchmarks) -> Iterator[str]:
    rows = kept.rows(RETRIEVAL, AGAINST_RETRIEVAL)
    yield "| measure | paper, uncompressed 0.5B | paper, compressed 375M | ours on | retrieval alone | ranked | our change |"
    yield "|---|---|---|---|---|---|---|"
    for measure, uncompressed, compressed in TABLE_9:
        found = [row for row in rows if row["measure"] == measure]
        for row in found:
            yield f"| {measure} | {uncompressed} | {compressed} | {row['on']} | {row['retrieval alone']} | {row['ranked']} | {row['change']} |"
        if not found:
            yield f"| {measure} | {uncompressed} | {compressed} | – | {missing(RETRIEVAL)} | – | – |"
    for measure, compressed in USERS:
        yield f"| {measure} | not significant | {compressed} | – | {NOT_MEASURED}: it takes users | – | – |"
    yield from measured_on(kept, RETRIEVAL)


def _steps(kept: KeptBenchmarks) -> Iterator[str]:
    yield "| step | paper | ours |"
    yield "|---|---|---|"
    yield f"| 50 tokens of the query shared by 50 items of 150: throughput | 1.33 × | {_gain(kept)} |"
    yield f"| longest pauses, the garbage collector frozen after warm-up | 100 to 300 ms before | {_pauses(kept)} |"
    yield f"| scoring without the decoding loop, 10 prompts of 300 tokens | 33 → 20 ms | {NOT_MEASURED}: our engine has no decoding loop for scores |"
    yield f"| fewer copies and synchronizations, p99 at 100 requests/s | 6,220 → 454 ms | {NOT_MEASURED}: it takes a GPU |"
    yield f"| an item as embedding tokens: NDCG@10, throughput | 0.921 → 0.922, up to +50% | {NOT_MEASURED} |"
    yield from measured_on(kept, SERVER)


def _gain(kept: KeptBenchmarks) -> str:
    rows = kept.rows(ENGINE, GAIN)
    return ", ".join(f"{row['dtype']} {row['gain']} ×" for row in rows) or missing(ENGINE)


def _pauses(kept: KeptBenchmarks) -> str:
    rows = kept.rows(SERVER, PAUSES)
    return ", ".join(f"{row['of']} {row['longest_ms']:.1f} ms" for row in rows) or missing(SERVER)
