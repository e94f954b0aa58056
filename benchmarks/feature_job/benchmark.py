"""`python -m benchmarks feature-job`: the feature job beside other Kafka libraries, over the same updates."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.common.broker import running_broker
from benchmarks.common.load import load
from benchmarks.common.report import FOLDER, Result, measured_on, say, write
from benchmarks.common.settings import FeatureJobBenchmark
from benchmarks.common.updates import Feed
from benchmarks.feature_job import tables, throughput
from benchmarks.feature_job.breakdown import breakdown
from benchmarks.feature_job.contenders import STORE, Contender, FeatureJob, JobSetup, Peer
from benchmarks.feature_job.runs import Run
from nearline.stack.settings import StackSettings
from nearline.stack.supervisor import ComponentFailed

NAME = "feature-job"
WARM_UP_UPDATES = 100_000


def measure(settings: FeatureJobBenchmark, folder: Path = FOLDER) -> Result:
    """Measure all contenders and write the results into `folder`."""
    where, failures = measured_on(), list[str]()
    plan = contenders(settings)
    with running_broker() as broker:
        say(f"loading {settings.updates:,} updates")
        loaded_s = load(broker.bootstrap, Feed(updates=settings.updates))
        say(f"loaded in {loaded_s:.0f} s")
        durable, fast = JobSetup(broker=broker, sync="commit"), JobSetup(broker=broker, sync="os")
        warm_up(durable, settings)
        swept = grid(settings) if settings.sweep_updates else []
        sweep = runs(swept, durable, settings.updates, 1, failures)
        full = runs(plan, durable, settings.updates, settings.repetitions, failures)
        capped = [at_most(contender, settings.other_updates) for contender in plan if settings.other_updates]
        other = runs(capped, fast, settings.updates, settings.repetitions, failures)
    inside = {
        sync: breakdown(Feed(updates=settings.breakdown_updates), sync, settings.peer_batch_size, STORE)
        for sync in ("commit", "os")[: 2 if settings.other_updates else 1]
    }
    own = [contender.name for contender in plan if isinstance(contender, FeatureJob)]
    found = tables.JobResults(own=own, sweep=sweep, runs=[*full, *other], inside=inside)
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


def warm_up(setup: JobSetup, settings: FeatureJobBenchmark) -> None:
    """Run the plain loop over some updates and forget it: a broker just started is slow for whoever comes first."""
    updates = min(settings.updates, WARM_UP_UPDATES)
    throughput.run(Peer(peer="confluent", most=updates), setup, settings.updates)


def shipped(models: str) -> FeatureJob:
    """The feature job with the settings of the local stack with these models."""
    stack = StackSettings(models=models)
    return FeatureJob(parallelism=stack.subtasks, batch_size=stack.updates_a_batch)


def contenders(settings: FeatureJobBenchmark) -> list[Contender]:
    """The feature job with the local stack's settings without models; then what `only` leaves of the others.

    Those are the job with the settings for models, and the peers.
    """
    size, words = settings.peer_batch_size, settings.only.split(",")
    others: list[Contender] = [
        shipped("tiny"),
        *(Peer(peer=peer, batch_size=size, processes=n) for peer in ("quix", "confluent") for n in (1, 2)),
        Peer(peer="kafka-python", batch_size=size, most=settings.slow_updates),
        Peer(peer="quix-one-by-one", most=settings.one_by_one_updates),
    ]
    return [
        shipped("instant"),
        *(one for one in others if any(w in one.name.replace(",", "") for w in words)),
    ]


def grid(settings: FeatureJobBenchmark) -> list[Contender]:
    """The feature job with each combination of its settings, over a part of the updates."""
    return [
        FeatureJob(parallelism=parallelism, batch_size=size, most=settings.sweep_updates)
        for parallelism, size in itertools.product(settings.parallelisms, settings.batch_sizes)
    ]


def at_most(contender: Contender, updates: int) -> Contender:
    """The contender with at most `updates` updates."""
    return replace(contender, most=min(updates, contender.most or updates))


def runs(
    plan: Sequence[Contender], setup: JobSetup, updates: int, repetitions: int, failures: list[str]
) -> list[Run]:
    """Run all contenders in turns, so that a machine that slows down slows all of them.

    Each repetition starts with another contender. A run that fails is noted in `failures`, and the others go on. Raises
    RuntimeError when two runs over all updates left different stores.
    """
    done = []
    for n in range(repetitions):
        start = n % max(1, len(plan))
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
