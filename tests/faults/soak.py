"""`python -m tests.faults.soak`: a stack under load for half an hour while broker, store and model server fail in turn.

The broker and the model server are killed (`kill -9`). The store is Couchbase's test server, which keeps everything in
memory, so that it is stopped and goes on (SIGSTOP) instead: for longer than its clients wait. At the end the store must
equal an undisturbed run, every pair must have alerted once an opening, and no component may have grown.
"""

import argparse
import random
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.common import plots
from benchmarks.common.broker import BUILD
from benchmarks.common.figures import percentile
from benchmarks.common.report import FOLDER, Result, Row, measured_on, say, write
from nearline.stack.settings import StackSettings
from nearline.stack.state import read_state
from streaming.kafka.settings import KafkaSettings
from streaming.tools.observer import Seen
from tests.faults import stage, verify, world
from tests.faults.memory import Memory, growth, is_flat

NAME, PLOT = "soak", "soak.png"
VICTIMS = ("kafka", "models", "couchbase")
#: Of the time that the store stands still: longer than a call of its client waits.
STILL_S = 20.0
READ_EVERY_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """`minutes` of load, `rate_per_s` updates, a failure every `every_s`; `seed` of the moments and of the order."""

    minutes: float
    rate_per_s: float
    every_s: float
    seed: int
    port_base: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A component that failed, when, and how long until the supervisor called everything healthy again."""

    component: str
    at_s: float
    healthy_after_s: float


def run(soak: Soak, folder: Path) -> bool:
    """Soak, judge, write the report; whether everything held."""
    where = dict(measured_on()) | {"command": f"make soak SOAK_ARGS='--minutes {soak.minutes:g}'"}
    home = BUILD / "soak"
    shutil.rmtree(home, ignore_errors=True)
    settings = StackSettings(
        home=home / "stack",
        port_base=soak.port_base,
        models="instant-server",
        ranker_dir=stage.TOKENIZER,
        summarizer_dir=stage.TOKENIZER,
        store="couchbase",
        checkpoint_s=2.0,
        max_backoff_s=3.0,
    )
    with stage.running(settings) as stack:
        memory = Memory(stack)
        with world.begin(stack, soak.seed, soak.rate_per_s) as load:
            failures = _disturb(stack, soak, memory)
            say("load ends")
            events = len(load.stop())
            seen, broken = _judge(stack, load)
        restarts = {str(one["name"]): int(str(one["restarts"])) for one in read_state(stack.home)}
    rows = _memory_rows(memory, restarts, soak)
    held = not broken and all(row["flat"] != "no" for row in rows)
    lines = {name: (track.at_s, track.mib) for name, track in memory.tracks.items()}
    plots.lines(folder / PLOT, "Resident memory", "seconds", "MiB", lines)
    result = Result(
        name=NAME,
        title="A soak: broker, store and model server fail in turn",
        settings=asdict(soak),
        tables={"Failures": _failure_rows(failures), "Memory, MiB": rows, "Latency, s": _latency_rows(seen)},
        findings=_findings(soak, events, seen, broken, failures, rows),
        plots=[PLOT],
    )
    write(result, folder, where)
    return held


def _disturb(stack: StackSettings, soak: Soak, memory: Memory) -> list[Failure]:
    """Let one component after the other fail until the time is over; read the memory meanwhile."""
    rng, began, failures = random.Random(soak.seed), time.monotonic(), list[Failure]()
    ends = began + 60 * soak.minutes
    while True:
        pause_s = soak.every_s * rng.uniform(0.7, 1.3)
        _read_until(memory, began, min(ends, time.monotonic() + pause_s))
        if time.monotonic() >= ends:
            return failures
        failures.append(_fail(stack, VICTIMS[len(failures) % len(VICTIMS)], began))
        say(f"{failures[-1].component} failed; healthy after {failures[-1].healthy_after_s:.0f} s")


def _read_until(memory: Memory, began: float, until: float) -> None:
    while (now := time.monotonic()) < until:
        memory.read(now - began)
        time.sleep(min(READ_EVERY_S, max(0.0, until - time.monotonic())))


def _fail(stack: StackSettings, component: str, began: float) -> Failure:
    struck, at_s = time.time(), time.monotonic()
    if component == "couchbase":
        world.freeze(stack, component, STILL_S)
        struck = time.time()
    else:
        world.kill(stack, component)
        time.sleep(1.0)
    world.await_health(stack, struck + 1.0)
    return Failure(component=component, at_s=at_s - began, healthy_after_s=time.monotonic() - at_s)


def _judge(stack: StackSettings, load: world.Load) -> tuple[Seen, str]:
    """What was observed, and what broke; "" when everything held."""
    sent = load.sent
    with closing(world.await_end(stack, len(sent))) as observer:
        say("everything has arrived")
        try:
            stage.compare(stack, sent, verify.gather(KafkaSettings(bootstrap=stack.bootstrap)))
        except AssertionError as error:
            return observer.seen, str(error)[:2_000] or "a comparison"
        return observer.seen, ""


def _failure_rows(failures: Sequence[Failure]) -> list[Row]:
    return [
        {
            "component": name,
            "failures": len(found),
            "healthy again, median s": percentile(found, 0.5),
            "at most, s": max(found),
        }
        for name in VICTIMS
        if (found := [one.healthy_after_s for one in failures if one.component == name])
    ]


def _memory_rows(memory: Memory, restarts: Mapping[str, int], soak: Soak) -> list[Row]:
    settle_s = min(120.0, 6.0 * soak.minutes)
    rows: list[Row] = []
    for name, track in sorted(memory.tracks.items()):
        medians = growth(track, settle_s)
        first, last = medians or (track.mib[0], track.mib[-1])
        flat = ("yes" if is_flat(first, last) else "no") if medians else "too short"
        rows.append(
            {
                "component": name,
                "restarts": restarts[name],
                "first third": first,
                "last third": last,
                "flat": flat,
            }
        )
    return rows


def _latency_rows(seen: Seen) -> list[Row]:
    return [
        {"what": what, "count": len(ms), **{f"p{n}": percentile(ms, n / 100) / 1000 for n in (50, 95, 99)}}
        for what, ms in (("update to feature", seen.feature_ms), ("update to alert", seen.alert_ms))
        if ms
    ]


def _findings(
    soak: Soak,
    events: int,
    seen: Seen,
    broken: str,
    failures: Sequence[Failure],
    memory: Sequence[Row],
) -> list[str]:
    grown = [str(row["component"]) for row in memory if row["flat"] == "no"]
    flat = sum(row["flat"] == "yes" for row in memory)
    return [
        f"{soak.minutes:g} minutes, {events:,} updates, {len(failures)} failures of {', '.join(VICTIMS)} in turn",
        f"{len(seen.outcomes):,} of {events:,} updates have an outcome, {len(seen.alerts):,} alerts, "
        f"{seen.duplicate_alert_ids} of them twice; store and alerts "
        + (f"differ from an undisturbed run: {broken}" if broken else "equal those of an undisturbed run"),
        f"memory: flat in {flat} of {len(memory)} components; "
        + (f"grown in {', '.join(grown)}" if grown else "the others were killed too often to tell"),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a soak; 1 when something was lost, sent twice or has grown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=5.0, help="updates a second")
    parser.add_argument(
        "--every-s", type=float, default=45.0, help="seconds from one failure to the next, about"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port-base", type=int, default=stage.PORT_BASE)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the report")
    given = parser.parse_args(argv)
    soak = Soak(
        minutes=given.minutes,
        rate_per_s=given.rate,
        every_s=given.every_s,
        seed=given.seed,
        port_base=given.port_base,
    )
    return 0 if run(soak, given.out) else 1


if __name__ == "__main__":
    sys.exit(main())
