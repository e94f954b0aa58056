"""The paper's figures for cache, depth and shaping (section 5.3) beside ours, then scheduling and retrieval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from training.evaluation.paper.kept import KeptBenchmarks, row_of
from training.evaluation.paper.serving import measured_on, missing

CACHE, OVERLOAD, SCHEDULING = "score-cache", "overload", "scheduling"
SEARCH = ("retrieval", "percolation", "search")
"""Benchmarks of which the paper has no table: their findings stand on the page as they are."""

REPLAYED = "A trace with pages and repetitions"
PEAK = "A day's peak"
BOUND = "Most candidates a second within the bound"
COST = "What depth costs in ranking"
QUANTILES = ("p50", "mean", "p90", "p99")
ONLINE = "-9.9% / -7.3% / -8.3% / -4.4%"
NEARLINE = "-11.3% / -9.2% / -7.5% / -1.1%"
TRACES = (
    "Trace regular, sharing within a batch",
    "Trace regular, a cache of 32,768 tokens",
    "Trace heavy, sharing within a batch",
    "Trace heavy, a cache of 32,768 tokens",
)
POLICIES = ("fcfs", "lpm", "k-lpm", "hrrn", "density")
RATIOS = ("over hrrn's", "over fcfs's", "computed tokens over lpm's")


def traffic(kept: KeptBenchmarks) -> Iterator[str]:
    """Lines of the tables of the paper's section 5.3, of scheduling and of retrieval."""
    yield from ("", "## Streaming services (the paper's section 5.3)", "")
    yield from _streaming(kept)
    yield from ("", "## Scheduling", "")
    yield from _scheduling(kept)
    yield from ("", "## Retrieval, matching and search", "")
    yield from _search(kept)


def _streaming(kept: KeptBenchmarks) -> Iterator[str]:
    replayed = row_of(kept.rows(CACHE, REPLAYED), cache="ours")
    hits = f"{replayed['hits']:.0%}" if replayed else missing(CACHE)
    latency = f"{NEARLINE} | {missing(CACHE)}: the trace is of online requests"
    yield "| technique | paper | ours |"
    yield "|---|---|---|"
    yield f"| score cache of 15 minutes: hits | > 50% | {hits} |"
    yield f"| the same: latency online, p50 / mean / p90 / p99 | {ONLINE} | {_changes(replayed)} |"
    yield f"| the same: latency nearline | {latency} |"
    yield f"| depth at the peak | 250 → 131 (-48% of the work) | {_depth(kept)} |"
    yield f"| what that depth costs in NDCG@10 | above the threshold of a neutral effect | {_cost(kept)} |"
    for row in kept.rows(OVERLOAD, BOUND) or ({},):
        yield f"| traffic shaping: items/s at the bound | 1,600 → 2,000 (1.25 ×) | {_shaped(row)} |"
    yield from measured_on(kept, CACHE)
    yield from measured_on(kept, OVERLOAD)


def _changes(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return missing(CACHE)
    return " / ".join(f"{row[quantile + ', change']:+.1%}" for quantile in QUANTILES)


def _depth(kept: KeptBenchmarks) -> str:
    row = row_of(kept.rows(OVERLOAD, PEAK), control="ours, AIMD")
    if row is None:
        return missing(OVERLOAD)
    return f"250 → {row['depth at the peak']:.0f} ({row['work a request at the peak']} of the work a request)"


def _cost(kept: KeptBenchmarks) -> str:
    row = row_of(kept.rows(OVERLOAD, COST), depth=131)
    return str(row["difference"]) if row else missing(OVERLOAD)


def _shaped(row: Mapping[str, Any]) -> str:
    if not row:
        return missing(OVERLOAD)
    before, after = row["without shaping"], row["with shaping"]
    return f"{before:,} → {after:,} ({row['ratio']:.2f} ×), alerts in {row['alerts come in']}"


def _scheduling(kept: KeptBenchmarks) -> Iterator[str]:
    yield "Time to first token of requests with shared prefixes; `density` is ours. The paper names no figures of its own;"
    yield "k-LPM is arXiv 2502.04677, HRRN on the tokens that must be computed is SGLang's."
    yield ""
    yield "| trace | policy | mean over HRRN's | p99 over FCFS's | computed tokens over LPM's |"
    yield "|---|---|---|---|---|"
    for trace in TRACES:
        rows = kept.rows(SCHEDULING, trace)
        name = trace.removeprefix("Trace ")
        for row in (row for row in rows if row["policy"] in POLICIES):
            yield f"| {name} | {row['policy']} | {' | '.join(str(row[ratio]) for ratio in RATIOS)} |"
        if not rows:
            yield f"| {name} | {missing(SCHEDULING)} | – | – | – |"
    yield from measured_on(kept, SCHEDULING)


def _search(kept: KeptBenchmarks) -> Iterator[str]:
    yield "The paper gives no figures of its retrieval; what is kept of ours:"
    yield ""
    for name in SEARCH:
        findings = kept.findings(name)
        yield from (f"- {name}: {finding}" for finding in findings)
        if not findings:
            yield f"- {name}: {missing(name)}"
