"""Tables and findings of the model server's benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.common.figures import percentile
from benchmarks.common.report import Row

GOAL_SHARE, GOAL_PAUSE_MS = 0.10, 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCounts:
    """The server's counters since its start, and its longest pauses so far."""

    requests: float
    engine_s: float
    queue_s: float
    batches: float
    cpu_s: float
    loop_cpu_s: float
    """Processor time of the event loop's thread: all work but the engine's, as long as all bodies are small."""
    steal_s: float
    rss_mib: float
    longest_lag_s: float
    longest_collection_s: float
    long_lags: float
    long_collections: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRun:
    """Latencies and counters of one load."""

    seconds: float
    latencies_ms: Sequence[float]
    before: ServerCounts
    after: ServerCounts
    idle_lag_s: float
    """The latest wake-up of an idle process during the load."""

    @property
    def requests(self) -> int:
        """Number of requests answered."""
        return len(self.latencies_ms)

    @property
    def per_s(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def engine_s(self) -> float:
        """Seconds that the engine computed."""
        return self.after.engine_s - self.before.engine_s

    @property
    def processor_ms(self) -> dict[str, float]:
        """Processor time of one request: `server` for the event loop's thread, `engine` for all other threads."""
        whole = 1000 * (self.after.cpu_s - self.before.cpu_s) / self.requests
        loop = 1000 * (self.after.loop_cpu_s - self.before.loop_cpu_s) / self.requests
        return {"engine": whole - loop, "server": loop}

    @property
    def stolen_s(self) -> float:
        """Processor time that the hypervisor gave to other machines."""
        return self.after.steal_s - self.before.steal_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: the engine alone, then the server under load."""

    alone_per_s: float
    alone_cpu_s: float
    load: LoadRun

    @property
    def ratio(self) -> float:
        """Requests over HTTP for each request of the engine alone."""
        return self.load.per_s / self.alone_per_s

    @property
    def overhead(self) -> float:
        """The server's processor time of a request as a share of that of the engine alone."""
        return self.load.processor_ms["server"] / (1000 * self.alone_cpu_s)

    @property
    def row(self) -> Row:
        """The round's row in the table."""
        load = self.load
        return {
            "engine_alone_per_s": self.alone_per_s,
            "over_http_per_s": load.per_s,
            "ratio": self.ratio,
            "engine_busy": load.engine_s / load.seconds,
            "engine_inside_per_s": load.requests / load.engine_s,
            "engine_alone_ms": 1000 * self.alone_cpu_s,
            "engine_inside_ms": load.processor_ms["engine"],
            "server_ms": load.processor_ms["server"],
            "overhead": self.overhead,
            "p50_ms": percentile(load.latencies_ms, 0.5),
            "p95_ms": percentile(load.latencies_ms, 0.95),
            "p99_ms": percentile(load.latencies_ms, 0.99),
            "lag_so_far_ms": 1000 * load.after.longest_lag_s,
            "idle_process_lag_ms": 1000 * load.idle_lag_s,
            "stolen_s": load.stolen_s,
            "rss_mib": load.after.rss_mib,
        }


def tables(rounds: Sequence[Round], counts: ServerCounts) -> dict[str, list[Row]]:
    """The tables of rounds and of pauses."""
    pauses = {
        "the event loop": (counts.longest_lag_s, counts.long_lags),
        "the garbage collector": (counts.longest_collection_s, counts.long_collections),
    }
    return {
        "Rounds": [{"round": number, **one.row} for number, one in enumerate(rounds, 1)],
        "Pauses in the server since its start": [
            {"of": name, "longest_ms": 1000 * longest_s, "over_50_ms": long}
            for name, (longest_s, long) in pauses.items()
        ],
    }


def findings(rounds: Sequence[Round], counts: ServerCounts) -> list[str]:
    """One sentence for each goal."""
    overhead, ratio = median(one.overhead for one in rounds), median(one.ratio for one in rounds)
    busy = median(one.load.engine_s / one.load.seconds for one in rounds)
    lag_ms, collection_ms = 1000 * counts.longest_lag_s, 1000 * counts.longest_collection_s
    return [
        (
            f"server overhead {overhead:.1%} of the engine's processor time (goal at most {GOAL_SHARE:.0%}); over HTTP "
            f"{ratio:.2f} times the requests of the engine alone, the engine busy {busy:.1%} of the time"
        ),
        (
            f"longest pause of the event loop {lag_ms:.1f} ms ({counts.long_lags:.0f} over 50 ms), of the garbage "
            f"collector {collection_ms:.1f} ms (goal at most {GOAL_PAUSE_MS:.0f} ms); "
            f"{sum(one.load.stolen_s for one in rounds):.1f} s of processor time were stolen, and a process that does "
            f"nothing else was late by up to {1000 * max(one.load.idle_lag_s for one in rounds):.1f} ms"
        ),
        f"{sum(one.load.requests for one in rounds)} requests answered, every one with 200",
    ]
