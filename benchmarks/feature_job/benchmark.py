"""`python -m benchmarks feature-job`: the feature job and its peers over the same loaded updates, in one run."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.common.broker import running_broker
from benchmarks.common.load import load
from benchmarks.common.report import FOLDER, Result, measured_on, say, write
from benchmarks.common.updates import Feed
from benchmarks.feature_job import tables, throughput
from benchmarks.feature_job.breakdown import breakdown
from benchmarks.feature_job.contenders import STORE, Contender, FeatureJob, Peer, Setup
from benchmarks.feature_job.runs import Run
from nearline.stack.settings import StackSettings
from nearline.stack.supervisor import ComponentFailed

NAME = "feature-job"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureJobBenchmark:
    """How much of what.

    `updates` go to each contender at each repetition under the features' default durability (`sync=commit`);
    `other_updates` under `sync=os`, `sweep_updates` to each setting of the job's own. `slow_updates` and
    `one_by_one_updates` are the most that the two contenders get which are far slower than the rest.
    """

    updates: int = 1_000_000
    repetitions: int = 3
    other_updates: int = 200_000
    sweep_updates: int = 200_000
    slow_updates: int = 150_000
    one_by_one_updates: int = 5_000
    breakdown_updates: int = 50_000
    parallelisms: tuple[int, ...] = (1, 2)
    batch_sizes: tuple[int, ...] = (64, 200, 1000, 2000)
    peer_batch_size: int = 1000


def measure(settings: FeatureJobBenchmark, folder: Path = FOLDER) -> Result:
    """All of it, written into `folder`."""
    where, failures = measured_on(), list[str]()
    plan = contenders(settings)
    with running_broker() as broker:
        say(f"loading {settings.updates:,} updates")
        loaded_s = load(broker.bootstrap, Feed(updates=settings.updates))
        say(f"loaded in {loaded_s:.0f} s")
        durable, fast = Setup(broker=broker, sync="commit"), Setup(broker=broker, sync="os")
        sweep = runs(grid(settings), durable, settings.updates, 1, failures)
        full = runs(plan, durable, settings.updates, settings.repetitions, failures)
        capped = [at_most(contender, settings.other_updates) for contender in plan]
        other = runs(capped, fast, settings.updates, settings.repetitions, failures)
    inside = {
        sync: breakdown(Feed(updates=settings.breakdown_updates), sync, settings.peer_batch_size, STORE)
        for sync in ("commit", "os")
    }
    own = [contender.name for contender in plan if isinstance(contender, FeatureJob)]
    found = tables.Found(own=own, sweep=sweep, runs=[*full, *other], inside=inside)
    plots = tables.plot(found, folder)
    result = Result(
        name=NAME,
        title="The feature job and its peers",
        settings={**asdict(settings), "loaded_s": round(loaded_s, 1)},
        tables=tables.tables(found),
        findings=[*tables.findings(found), *failures],
        plots=plots,
        detail={
            "runs": [asdict(replace(run, samples=[])) for run in [*sweep, *full, *other]],
            "samples": [asdict(sample) for sample in tables.longest(found).samples],
        },
    )
    write(result, folder, where)
    return result


def shipped(models: str) -> FeatureJob:
    """The job as the local stack runs it with these models."""
    stack = StackSettings(models=models)
    return FeatureJob(parallelism=stack.parallelism, batch_size=stack.updates_a_batch)


def contenders(settings: FeatureJobBenchmark) -> list[Contender]:
    """The shipped job, as it is without a model and as it is with one; then the peers."""
    size = settings.peer_batch_size
    return [
        *(shipped("instant"), shipped("tiny")),
        *(Peer(peer=peer, batch_size=size, processes=n) for peer in ("quix", "confluent") for n in (1, 2)),
        Peer(peer="kafka-python", batch_size=size, most=settings.slow_updates),
        Peer(peer="quix-one-by-one", most=settings.one_by_one_updates),
    ]


def grid(settings: FeatureJobBenchmark) -> list[Contender]:
    """The job's own settings, each with a part of the updates."""
    return [
        FeatureJob(parallelism=parallelism, batch_size=size, most=settings.sweep_updates)
        for parallelism, size in itertools.product(settings.parallelisms, settings.batch_sizes)
    ]


def at_most(contender: Contender, updates: int) -> Contender:
    """The same with no more than `updates`."""
    return replace(contender, most=min(updates, contender.most or updates))


def runs(
    plan: Sequence[Contender], setup: Setup, updates: int, repetitions: int, failures: list[str]
) -> list[Run]:
    """Repetitions interleaved, so that a machine that slows down slows all; each starts with another contender.

    A run that fails is told in `failures`, the others go on. Raises RuntimeError when two that did everything left
    different stores.
    """
    done = []
    for n in range(repetitions):
        start = n % len(plan)
        for contender in [*plan[start:], *plan[:start]]:
            try:
                done.append(throughput.run(contender, setup, updates))
            except (ComponentFailed, RuntimeError, TimeoutError) as error:
                failures.append(f"A run of {contender.name} (sync={setup.sync}) failed: {error}")
                say(failures[-1])
            else:
                say(f"sync={setup.sync} {contender.name}: {done[-1].rate:,.0f}/s")
    digests = {run.store_digest for run in done if run.store_digest}
    if len(digests) > 1:
        raise RuntimeError(
            f"the same updates left different stores: {[(r.contender, r.store_digest) for r in done]}"
        )
    return done
