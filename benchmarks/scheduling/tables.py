"""Tables and findings of the scheduling benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev

from benchmarks.common.figures import percentile
from benchmarks.common.report import Row
from benchmarks.scheduling.decisions import Costs
from benchmarks.scheduling.replay import Run

MEAN_GOAL, P99_GOAL, COMPUTED_GOAL, REUSE_GOAL, DECISION_GOAL_US = 1.0, 0.9, 1.02, 0.02, 50.0
T_95 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}
"""Student's t for 95%, by the number of seeds."""


@dataclass(frozen=True, slots=True)
class Case:
    """One trace on one server: the runs of each queue, one for each seed."""

    trace: str
    cache_tokens: int
    runs: Mapping[str, Sequence[Run]]

    @property
    def name(self) -> str:
        """Trace and server in words."""
        cache = f"a cache of {self.cache_tokens:,} tokens" if self.cache_tokens else "sharing within a batch"
        return f"{self.trace}, {cache}"

    def ratios(self, queue: str, reference: str, figure: Callable[[Run], float]) -> list[float]:
        """Return a queue's figure over the reference's, for each seed."""
        pairs = zip(self.runs[queue], self.runs[reference], strict=True)
        return [figure(one) / figure(other) for one, other in pairs]

    def detail(self) -> dict[str, object]:
        """All seeds, for the JSON."""
        return {
            name: [
                {"mean_s": mean_s(run), "p99_s": p99_s(run), "longest_s": max(run.ttft_s), "reuse": run.reuse}
                for run in runs
            ]
            for name, runs in self.runs.items()
        }


def mean_s(run: Run) -> float:
    """Mean time to first token."""
    return mean(run.ttft_s)


def p99_s(run: Run) -> float:
    """Its 99th percentile."""
    return percentile(run.ttft_s, 0.99)


def computed(run: Run) -> float:
    """Tokens that were computed."""
    return run.computed_tokens


def interval(values: Sequence[float]) -> str:
    """The mean of the seeds with its 95% interval, by Student's t."""
    half = T_95.get(len(values), 2.2) * stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{mean(values):.3f} ± {half:.3f}"


def tables(cases: Sequence[Case], decided: Mapping[tuple[str, str, int], Costs]) -> dict[str, list[Row]]:
    """A table for each case, and one of what decisions cost."""
    found = {f"Trace {case.name}": [_row(case, name) for name in case.runs] for case in cases}
    found["Processor time of a decision and of an arrival, microseconds"] = [
        {
            "policy": policy,
            "trace": trace,
            "cache tokens": cache,
            "decision": round(one.decision_us, 1),
            "arrival": round(one.arrival_us, 1),
        }
        for (policy, trace, cache), one in decided.items()
    ]
    return found


def _row(case: Case, name: str) -> Row:
    runs = case.runs[name]
    return {
        "policy": name,
        "mean TTFT, s": interval([mean_s(run) for run in runs]),
        "over hrrn's": interval(case.ratios(name, "hrrn", mean_s)),
        "p99, s": interval([p99_s(run) for run in runs]),
        "over fcfs's": interval(case.ratios(name, "fcfs", p99_s)),
        "longest, s": f"{mean(max(run.ttft_s) for run in runs):.2f}",
        "reuse": f"{mean(run.reuse for run in runs):.3f}",
        "computed tokens over lpm's": interval(case.ratios(name, "lpm", computed)),
        "most waiting": f"{mean(run.most_waiting for run in runs):.0f}",
    }


def findings(cases: Sequence[Case], decided: Mapping[tuple[str, str, int], Costs], policy: str) -> list[str]:
    """What the policy that ships reaches of its goals."""
    return [*(_finding(case, policy) for case in cases), *_costs(decided, policy), *_faults(cases)]


def _finding(case: Case, policy: str) -> str:
    means, tails = case.ratios(policy, "hrrn", mean_s), case.ratios(policy, "fcfs", p99_s)
    tokens = case.ratios(policy, "lpm", computed)
    points = mean(run.reuse for run in case.runs["lpm"]) - mean(run.reuse for run in case.runs[policy])
    return (
        f"{case.name}: {policy}'s mean TTFT is {interval(means)} x hrrn's (goal at most {MEAN_GOAL:g}), its p99 "
        f"{interval(tails)} x fcfs's (goal at most {P99_GOAL:g}), it computes {interval(tokens)} x lpm's tokens "
        f"(goal at most {COMPUTED_GOAL:g}) and reuses {100 * points:+.1f} points less"
    )


def _costs(decided: Mapping[tuple[str, str, int], Costs], policy: str) -> Iterator[str]:
    mine = [one.decision_us for (name, _, _), one in decided.items() if name == policy]
    if mine:
        yield (
            f"a decision of {policy} takes {min(mine):.0f} to {max(mine):.0f} microseconds of processor time with many "
            f"waiting (goal at most {DECISION_GOAL_US:g})"
        )


def _faults(cases: Sequence[Case]) -> Iterator[str]:
    for case in cases:
        ratio = median(case.ratios("SGLang's hrrn", "hrrn", mean_s))
        yield (
            f"{case.name}: SGLang's hrrn, which is fcfs above 128 waiting, has {ratio:.2f} x the mean TTFT of hrrn "
            "without that limit"
        )
