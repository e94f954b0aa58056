"""Run one contender over the loaded updates and measure speed, memory and processor time."""

import os
import shutil
import time
from contextlib import closing

from benchmarks.common import figures
from benchmarks.common.broker import Offsets, empty
from benchmarks.common.sampling import Sampler, cpu_between, during
from benchmarks.feature_job.contenders import STORE, Contender, JobSetup
from benchmarks.feature_job.runs import Run, digest
from streaming.kafka.topics import DLQ, FEATURES

OUTPUTS = (FEATURES, DLQ)
#: A look finds the processes of all roles among those of the machine, which takes time from what is measured.
LOOK_S = 1.0
STALL_S = 120.0
#: Share of the outputs that the rate counts: some contenders keep their last, unfilled batch until their next commit.
COUNTED_SHARE = 0.99


def run(contender: Contender, setup: JobSetup, updates: int) -> Run:
    """Empty topics and store, start the contender, sample until every update has its output, and stop it."""
    bootstrap, target = setup.broker.bootstrap, min(updates, contender.most or updates)
    empty(bootstrap, OUTPUTS)
    shutil.rmtree(STORE, ignore_errors=True)
    os.sync()  # what earlier runs wrote is not written to the disk during this one
    with closing(Offsets(bootstrap)) as offsets:
        with contender.running(setup) as roles:
            sampler = Sampler(roles=roles, outputs=lambda: offsets.ends(OUTPUTS), store=STORE)
            _watch(sampler, target, contender.name)
        outputs = offsets.ends(OUTPUTS)
        counted, first_ms, last_ms = offsets.span(OUTPUTS, COUNTED_SHARE)
    if outputs < target:
        raise RuntimeError(f"{contender.name}: {outputs} outputs of {target} updates")
    busy = during(sampler.samples, 1, target)
    worked = busy[-1].outputs - busy[0].outputs
    return Run(
        contender=contender.name,
        sync=setup.sync,
        outputs=outputs,
        rate=figures.rate(counted, first_ms, last_ms),
        cpu_us={role: 1e6 * seconds / max(1, worked) for role, seconds in cpu_between(busy).items()},
        store_digest=digest(setup.store_url) if target == updates else "",
        samples=sampler.samples,
    )


def _watch(sampler: Sampler, target: int, name: str) -> None:
    moved, seen = time.monotonic(), 0
    while seen < target:
        now = time.monotonic()
        outputs = sampler.take(now).outputs
        if outputs > seen:
            moved, seen = now, outputs
        if now - moved > STALL_S:
            raise TimeoutError(f"{name}: {seen} of {target} outputs, and none for {STALL_S:.0f} s")
        time.sleep(LOOK_S)
