"""Real and simulated runs of the same traces, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.common.figures import percentile
from benchmarks.common.report import Row
from benchmarks.simulator.client import Played
from benchmarks.simulator.speed import Speed
from pipeline.simulation.run import Simulation
from pipeline.simulation.services import ServiceTimes
from pipeline.simulation.settings import SimulationSettings

GOAL, GOAL_S, GOAL_REQUESTS = 0.05, 60.0, 1_000_000
SHARES = (0.5, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One trace, or several together: latencies and seconds of the real and of the simulated run."""

    real_s: Sequence[float]
    simulated_s: Sequence[float]
    real_seconds: float
    simulated_seconds: float
    asked: int
    client_cpu_s: float
    loop_cpu_s: float
    server_cpu_s: float

    @classmethod
    def pooled(cls, pairs: Sequence[Pair]) -> Pair:
        """All traces together."""
        return cls(
            real_s=[one for pair in pairs for one in pair.real_s],
            simulated_s=[one for pair in pairs for one in pair.simulated_s],
            **{
                name: sum(getattr(pair, name) for pair in pairs)
                for name in (
                    "real_seconds",
                    "simulated_seconds",
                    "asked",
                    "client_cpu_s",
                    "loop_cpu_s",
                    "server_cpu_s",
                )
            },
        )

    def errors(self) -> dict[str, float]:
        """Simulated over real, less 1, of the throughput and of percentiles."""
        real = len(self.real_s) / self.real_seconds
        found = {"throughput": len(self.simulated_s) / self.simulated_seconds / real - 1}
        for share in SHARES:
            name = f"p{round(100 * share)}"
            found[name] = percentile(self.simulated_s, share) / percentile(self.real_s, share) - 1
        return found

    def curve(self, latencies_s: Sequence[float]) -> tuple[list[float], list[float]]:
        """Percentiles 1 to 99, and the latencies."""
        shares = [n / 100 for n in range(1, 100)]
        return shares, [percentile(latencies_s, share) for share in shares]


def simulated(played: Played, service: ServiceTimes, seed: int) -> Pair:
    """Simulate a trace that was played, without cache and controls: the server alone."""
    results = Simulation(SimulationSettings(), [service], seed).run(played.requests)
    [tally] = [one for one in results.tallies.values() if one.arrived]
    return Pair(
        real_s=played.answered,
        simulated_s=list(tally.latencies_s),
        real_seconds=played.seconds,
        simulated_seconds=results.seconds,
        asked=len(played.requests),
        client_cpu_s=played.client_cpu_s,
        loop_cpu_s=played.loop_cpu_s,
        server_cpu_s=played.server_cpu_s,
    )


def tables(pairs: Sequence[Pair], pooled: Pair, service: ServiceTimes, quick: Speed) -> dict[str, list[Row]]:
    """The traces, the fitted times and the simulator's own speed."""
    rows = {**{str(n): pair for n, pair in enumerate(pairs, 1)}, "all": pooled}
    fitted = {name: value for name, value in service.as_dict().items() if name not in ("name", "spread")}
    return {
        "Held-out traces": [row for name, pair in rows.items() for row in _rows(name, pair)],
        "Simulated less real": [{"trace": name, **_shown(pair.errors())} for name, pair in rows.items()],
        "Processor time of a request, ms": [
            {
                "trace": name,
                "client": 1000 * pair.client_cpu_s / pair.asked,
                "event_loop": 1000 * pair.loop_cpu_s / pair.asked,
                "whole_server": 1000 * pair.server_cpu_s / pair.asked,
            }
            for name, pair in rows.items()
        ],
        "Fitted service times": [{"what": name, "value": f"{value:.3g}"} for name, value in fitted.items()],
        "Speed of the simulator": [asdict(quick)],
    }


def findings(pairs: Sequence[Pair], pooled: Pair, quick: Speed) -> list[str]:
    """One sentence for each goal, and how far single traces are off."""
    errors, single = pooled.errors(), [pair.errors() for pair in pairs]
    return [
        (
            f"{len(pairs)} traces that it was not fitted on, together: throughput {errors['throughput']:+.1%}, p99 "
            f"{errors['p99']:+.1%} of the real runs' (goal: within {GOAL:.0%}); p50 {errors['p50']:+.1%}, p95 "
            f"{errors['p95']:+.1%}"
        ),
        f"single traces: throughput {_span(single, 'throughput')}, p99 {_span(single, 'p99')}",
        (
            f"{quick.requests:,} requests through cache, depth, admission and scheduling in {quick.cpu_s:.1f} s of one "
            f"core's time (goal: {GOAL_REQUESTS:,} in {GOAL_S:.0f} s)"
        ),
    ]


def _span(errors: Sequence[Mapping[str, float]], name: str) -> str:
    found = [one[name] for one in errors]
    return f"{min(found):+.1%} to {max(found):+.1%}"


def _rows(name: str, pair: Pair) -> list[Row]:
    return [
        {"trace": name, "run": "real", **_measures(pair.real_s, pair.real_seconds, pair.asked)},
        {
            "trace": name,
            "run": "simulated",
            **_measures(pair.simulated_s, pair.simulated_seconds, pair.asked),
        },
    ]


def _measures(latencies_s: Sequence[float], seconds: float, asked: int) -> dict[str, float]:
    found = {f"p{round(100 * share)}_ms": 1000 * percentile(latencies_s, share) for share in SHARES}
    return {"asked": asked, "answered": len(latencies_s), "per_s": len(latencies_s) / seconds, **found}


def _shown(errors: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:+.1%}" for name, value in errors.items()}
