"""`python -m benchmarks latency`: time from an update to its feature and its alert, on a local stack without models."""

import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from benchmarks.common import plots
from benchmarks.common.broker import BUILD, PORT_BASE
from benchmarks.common.figures import percentile
from benchmarks.common.report import FOLDER, Result, Row, measured_on, say, write
from benchmarks.common.settings import LatencyBenchmark
from benchmarks.common.updates import ROLES, WORDS, Feed, events
from nearline.stack.daemon import waves
from nearline.stack.jars import ensure_jars
from nearline.stack.settings import StackSettings
from nearline.stack.supervisor import Supervisor
from nearline.stack.tools import check_ports
from schemas.records import PostingUpdate, SavedSearch
from streaming.kafka.settings import KafkaSettings
from streaming.tools.observer import Observer
from streaming.tools.replay import replay_updates, send_searches

NAME = "latency"
GOAL_MS = 200
PLOT = "latency.png"
HOME = BUILD / "bench-latency"
SETTLE_S = 10.0
FEATURE, ALERT = "update to feature", "update to alert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Latencies at one rate, in milliseconds between broker timestamps."""

    rate: int
    updates: int
    feature_ms: list[int]
    alert_ms: list[int]


def measure(settings: LatencyBenchmark, folder: Path = FOLDER) -> Result:
    """Measure rate after rate on one stack and write the results into `folder`."""
    where = measured_on()
    stack = StackSettings(home=HOME, port_base=PORT_BASE, models="instant", page=False)
    check_ports(stack.ports)
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    ensure_jars(stack.jars)
    supervisor = Supervisor(stack, waves(stack))
    try:
        supervisor.start()
        found = _at_rates(settings, KafkaSettings(bootstrap=stack.bootstrap))
    finally:
        supervisor.stop()
        shutil.rmtree(HOME)
    lines = {
        f"{what}, {one.rate}/s": _curve(values)
        for one in found
        for what, values in ((FEATURE, one.feature_ms), (ALERT, one.alert_ms))
        if values
    }
    plots.lines(folder / PLOT, "Latency by the broker's clock", "ms", "share of messages", lines)
    result = Result(
        name=NAME,
        title="From update to feature and to alert",
        settings={**asdict(settings), "window_s": stack.window_s, "parallelism": stack.subtasks},
        tables={"Milliseconds": [row for one in found for row in _rows(one)]},
        findings=_findings(found),
        plots=[PLOT],
    )
    write(result, folder, where)
    return result


def searches(a_role: int) -> list[SavedSearch]:
    """Searches of two words: a posting with one of the words is a candidate, with both it alerts."""
    return [
        SavedSearch(search_id=f"{role}-{n}", query=f"{role} {WORDS[n]}", threshold=0.9)
        for role in ROLES
        for n in range(a_role)
    ]


def _at_rates(settings: LatencyBenchmark, kafka: KafkaSettings) -> list[Latencies]:
    """Send one feed, of which each rate takes the next part."""
    send_searches(kafka, searches(settings.searches_a_role))
    total = sum(rate * (settings.warm_seconds + settings.seconds) for rate in settings.rates)
    feed = (event for event in events(Feed(updates=2 * total)) if isinstance(event, PostingUpdate))
    found = []
    with closing(Observer(kafka)) as observer:
        for rate in settings.rates:
            _send(observer, kafka, list(islice(feed, rate * settings.warm_seconds)), rate)
            features, alerts = len(observer.seen.feature_ms), len(observer.seen.alert_ms)
            count = rate * settings.seconds
            _send(observer, kafka, list(islice(feed, count)), rate)
            seen = observer.seen
            one = Latencies(
                rate=rate,
                updates=count,
                feature_ms=seen.feature_ms[features:],
                alert_ms=seen.alert_ms[alerts:],
            )
            if len(one.feature_ms) != count:
                raise RuntimeError(f"{len(one.feature_ms)} features of {count} updates")
            say(f"{rate} updates/s: p95 {percentile(one.feature_ms, 0.95)} ms to the feature")
            found.append(one)
    return found


def _send(observer: Observer, kafka: KafkaSettings, updates: Sequence[PostingUpdate], rate: int) -> None:
    """Send at this rate, and observe until no message has arrived for `SETTLE_S`."""
    sender = threading.Thread(
        target=replay_updates, args=(kafka, enumerate(updates, start=1)), kwargs={"rate_per_s": rate}
    )
    sender.start()
    moved_s = time.monotonic()
    while sender.is_alive() or time.monotonic() - moved_s < SETTLE_S:
        if observer.poll():
            moved_s = time.monotonic()
    sender.join()


def _rows(one: Latencies) -> list[Row]:
    return [
        {
            "what": what,
            "updates a second": one.rate,
            "messages": len(values),
            "p50": percentile(values, 0.5),
            "p95": percentile(values, 0.95),
            "p99": percentile(values, 0.99),
            "longest": max(values),
        }
        for what, values in ((FEATURE, one.feature_ms), (ALERT, one.alert_ms))
        if values
    ]


def _curve(values: Sequence[int]) -> tuple[list[float], list[float]]:
    ordered = sorted(values)
    return [float(value) for value in ordered], [(i + 1) / len(ordered) for i in range(len(ordered))]


def _findings(found: Sequence[Latencies]) -> list[str]:
    return [
        f"{one.rate} updates/s: update to feature p50 {percentile(one.feature_ms, 0.5)} ms, "
        f"p95 {percentile(one.feature_ms, 0.95)} ms (goal at 50/s: {GOAL_MS} ms)."
        for one in found
    ]
