"""Tables, findings and plots of the feature job's benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import plots
from benchmarks.common.figures import slope, spread
from benchmarks.common.report import Row
from benchmarks.common.sampling import Sample
from benchmarks.feature_job.breakdown import Breakdown
from benchmarks.feature_job.runs import Run

SPEED_PLOT, CPU_PLOT, MEMORY_PLOT = "feature-job.png", "feature-job-cpu.png", "feature-job-memory.png"
#: Processes that every contender needs alike, which comparisons leave out.
SHARED_ROLES = ("broker", "JobManager")
#: The first part of a run, which fills caches and buffers; growth of memory is measured after it.
WARM_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResults:
    """All runs. `own`: the contenders that are the feature job, first the one with the local stack's settings."""

    own: Sequence[str]
    sweep: Sequence[Run]
    runs: Sequence[Run]
    inside: Mapping[str, Breakdown]

    @property
    def shipped(self) -> str:
        """The feature job as the local stack runs it without a model."""
        return self.own[0]


def tables(found: JobResults) -> dict[str, list[Row]]:
    """All tables that have rows: title → rows."""
    made = {
        f"Records a second, store sync={sync}": speeds(_of(found.runs, sync), found.shipped)
        for sync in _syncs(found)
    }
    made["The job's own settings"] = speeds(found.sweep, found.shipped)
    made["Processor time, microseconds a record"] = cpu(found.runs)
    made["Processor time of the job's own settings"] = cpu(found.sweep)
    made["The work alone, microseconds a record"] = inside(found.inside)
    made["Memory of the feature job"] = memory(found)
    return {title: rows for title, rows in made.items() if rows}


def speeds(runs: Sequence[Run], base: str) -> list[Row]:
    """A row for each contender, fastest first; `to_ours`: its median over that of `base`, 0 when `base` did not run."""
    rates = by_contender(runs)
    ours = spread(rates[base])["median"] if base in rates else 0.0
    rows: list[Row] = [
        {
            "contender": name,
            "updates": max(run.outputs for run in runs if run.contender == name),
            "runs": len(values),
            **spread(values),
            "to_ours": spread(values)["median"] / ours if ours else 0.0,
        }
        for name, values in rates.items()
    ]
    return sorted(rows, key=lambda row: -float(str(row["median"])))


def by_contender(runs: Sequence[Run]) -> dict[str, list[float]]:
    """Rates by contender."""
    rates: dict[str, list[float]] = {}
    for run in runs:
        rates.setdefault(run.contender, []).append(run.rate)
    return rates


def cpu(runs: Sequence[Run]) -> list[Row]:
    """Median processor time by contender and role; `total` leaves out `SHARED_ROLES`."""
    roles = list(dict.fromkeys(role for run in runs for role in run.cpu_us))
    rows: list[Row] = []
    for sync, name in dict.fromkeys((run.sync, run.contender) for run in runs):
        mine = [run for run in runs if (run.sync, run.contender) == (sync, name)]
        parts = {role: spread([run.cpu_us.get(role, 0.0) for run in mine])["median"] for role in roles}
        total = sum(value for role, value in parts.items() if role not in SHARED_ROLES)
        rows.append({"sync": sync, "contender": name, **parts, "total": total})
    return rows


def inside(found: Mapping[str, Breakdown]) -> list[Row]:
    """A row for each stage, with a column for each durability."""
    names = dict.fromkeys(stage for one in found.values() for stage in one.stages_us)
    rows: list[Row] = [
        {"stage": name, **{f"sync={sync}": one.stages_us.get(name, 0.0) for sync, one in found.items()}}
        for name in names
    ]
    rows.append(
        {"stage": "all, by the clock", **{f"sync={sync}": one.wall_us for sync, one in found.items()}}
    )
    rows.append({"stage": "all, processor", **{f"sync={sync}": one.cpu_us for sync, one in found.items()}})
    return rows


def memory(found: JobResults) -> list[Row]:
    """A row for each role in the feature job's longest run; `growth_mib`: for a million records after the warm-up."""
    run = longest(found)
    warm = warmed(run.samples)
    roles = list(warm[-1].private)
    counts = [sample.outputs / 1e6 for sample in warm]
    return [
        {
            "role": role,
            "start_mib": warm[0].private.get(role, 0.0),
            "end_mib": warm[-1].private[role],
            "peak_mib": max(sample.private.get(role, 0.0) for sample in warm),
            "growth_mib": slope(counts, [sample.private.get(role, 0.0) for sample in warm]),
            "mapped_end_mib": warm[-1].mapped[role],
        }
        for role in roles
    ]


def longest(found: JobResults) -> Run:
    """The run of the feature job, with the local stack's settings, that has the most outputs."""
    return max((run for run in found.runs if run.contender == found.shipped), key=lambda run: run.outputs)


def warmed(samples: Sequence[Sample]) -> list[Sample]:
    """The samples after the first `WARM_SHARE` of the outputs."""
    first = WARM_SHARE * samples[-1].outputs
    return [sample for sample in samples if sample.outputs >= first]


def findings(found: JobResults) -> list[str]:
    """One sentence for each figure that has a goal."""
    said = []
    for sync in _syncs(found):
        rows = speeds(_of(found.runs, sync), found.shipped)
        best = next((row for row in rows if row["contender"] not in found.own), None)
        for row in rows:
            if row["contender"] in found.own:
                speed = f"sync={sync}: {row['contender']}: {row['median']:,.0f} records/s"
                said.append(f"{speed}{_beside(row, best, _of(found.runs, sync))}.")
    if found.sweep:
        fastest = speeds(found.sweep, found.shipped)[0]["contender"]
        said.append(f"Fastest of the job's own settings: {fastest}; shipped: {found.shipped}.")
    grown = sum(float(str(row["growth_mib"])) for row in memory(found) if row["role"] not in SHARED_ROLES)
    said.append(
        f"Memory of TaskManager and Python workers together: {grown:+.0f} MiB for a million records more, after "
        f"{WARM_SHARE:.0%} of the run."
    )
    return said


def _beside(row: Row, best: Row | None, runs: Sequence[Run]) -> str:
    """The ratio to the best peer; nothing where no peer ran."""
    if best is None:
        return ""
    ratio = _against(runs, str(row["contender"]), str(best["contender"]))
    return f", {ratio} × the best peer ({best['contender']}, {best['median']:,.0f}/s)"


def _against(runs: Sequence[Run], name: str, peer: str) -> str:
    """The ratio of the medians, and from which to which it goes when the repetitions are taken one by one."""
    rates = by_contender(runs)
    mine, theirs = rates[name], rates[peer]
    middle = f"{spread(mine)['median'] / spread(theirs)['median']:.2f}"
    one_by_one = sorted(a / b for a, b in zip(mine, theirs, strict=False))
    return f"{middle} ({one_by_one[0]:.2f} to {one_by_one[-1]:.2f})" if len(one_by_one) > 1 else middle


def plot(found: JobResults, folder: Path) -> list[str]:
    """Write the plots and return their file names."""
    speeds_by_sync = {
        f"sync={sync}": {name: spread(rates) for name, rates in by_contender(_of(found.runs, sync)).items()}
        for sync in _syncs(found)
    }
    plots.bars(
        folder / SPEED_PLOT, "Feature job and peers, identical work", "records/s, median", speeds_by_sync
    )
    shares = {
        f"{row['contender']} ({row['sync']})": {
            role: float(str(value))
            for role, value in row.items()
            if role not in ("contender", "sync", "total")
        }
        for row in cpu(found.runs)
    }
    plots.stacked(folder / CPU_PLOT, "Where the processor time goes", "µs a record", shares)
    samples = longest(found).samples
    counts = [sample.outputs / 1000 for sample in samples]
    series = {
        f"{role}, private": (counts, [sample.private.get(role, 0.0) for sample in samples])
        for role in samples[-1].private
    }
    series["store on disk"] = (counts, [sample.store for sample in samples])
    title = f"Memory of {found.shipped} (the store's pages are mapped, not private)"
    plots.lines(folder / MEMORY_PLOT, title, "thousand records", "MiB", series)
    return [SPEED_PLOT, CPU_PLOT, MEMORY_PLOT]


def _syncs(found: JobResults) -> list[str]:
    return list(dict.fromkeys(run.sync for run in found.runs))


def _of(runs: Sequence[Run], sync: str) -> list[Run]:
    return [run for run in runs if run.sync == sync]
