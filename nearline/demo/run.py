"""Run the demo: start a stack, send searches and updates, watch features and alerts, write figures, stop the stack."""

import shutil
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from nearline.demo.report import DemoReport
from nearline.demo.scoring import scoring
from nearline.demo.screen import screen, waiting
from nearline.demo.summarizer_work import SummarizerWork
from nearline.demo.view import Progress
from nearline.stack import daemon
from nearline.stack.settings import StackSettings
from nearline.stack.state import read_state
from schemas.codec import Codec
from schemas.errors import NearlineError
from schemas.events import BrokenLine, read_events, read_searches
from schemas.records import THRESHOLD, PostingUpdate
from storage.features import FeatureStore
from storage.opening import open_store
from streaming.kafka.framing import RegistrySettings, open_codec
from streaming.kafka.lag import lag
from streaming.kafka.settings import KafkaSettings
from streaming.kafka.topics import ALERT_GROUP, FEATURES, MATCHER_GROUP, SCORE_REQUESTS
from streaming.tools.observer import Observer, Seen
from streaming.tools.replay import WRITES, ReplayProgress, replay_updates, send_searches


class Stalled(NearlineError):
    """No message arrived and no text was summarized for too long; the error names what is not healthy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """The stream to replay and its rate; `store_url`: the stack's store, with its login.

    `threshold`: that of searches that name none.
    """

    stream: Path
    searches: Path
    rate_per_s: float = 25.0
    report: Path = Path("build/demo/report.json")
    keep: bool = False
    stall_s: float = 180.0
    threshold: float = THRESHOLD
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    store_url: str


def run(settings: DemoSettings, stack: StackSettings, console: Console, setup_started: float) -> DemoReport:
    """Run the demo on a new stack; raises Stalled when nothing moves for `stall_s`."""
    events = list(read_events(settings.stream))
    with closing(open_codec(settings.registry, WRITES)) as codec:
        _fresh(stack)
        with waiting(console, "starting Kafka, Flink, the model server, matcher and alert consumer …"):
            daemon.up(stack)
        if stack.page:
            console.print(f"watch it on {stack.page_url}", markup=False)
        try:
            report = _replay(settings, stack, console, events, codec, max(0.0, time.time() - setup_started))
            report.write(settings.report)
            return report
        finally:
            if not settings.keep:
                daemon.down(stack.home)


def _fresh(stack: StackSettings) -> None:
    if daemon.running(stack.home) is None:
        shutil.rmtree(stack.home, ignore_errors=True)


def _replay(
    settings: DemoSettings,
    stack: StackSettings,
    console: Console,
    events: list[PostingUpdate | BrokenLine],
    codec: Codec,
    setup_s: float,
) -> DemoReport:
    kafka = KafkaSettings(bootstrap=stack.bootstrap)
    started = time.monotonic()
    send_searches(kafka, read_searches(settings.searches, settings.threshold), codec)
    progress = ReplayProgress()
    sending = (kafka, events, settings.rate_per_s, progress, codec)
    sender = threading.Thread(target=_send, args=sending, daemon=True)
    observer = Observer(kafka, codec=codec)
    sender.start()
    try:
        _watch(observer, progress, sender, len(events), settings, stack, console)
    finally:
        observer.close()
    return DemoReport(
        updates_in=len(events),
        seen=observer.seen,
        features=_features(settings.store_url),
        setup_s=setup_s,
        replay_s=time.monotonic() - started,
        scoring=scoring(f"http://127.0.0.1:{stack.port('consumer_metrics')}/metrics"),
    )


def _features(url: str) -> int:
    with closing(open_store(url)) as kv:
        return sum(1 for _ in FeatureStore(kv).scan())


def _send(
    kafka: KafkaSettings,
    events: list[PostingUpdate | BrokenLine],
    rate_per_s: float,
    progress: ReplayProgress,
    codec: Codec,
) -> None:
    def note(sent: ReplayProgress) -> None:
        progress.sent, progress.too_large = sent.sent, sent.too_large

    replay_updates(kafka, enumerate(events, start=1), rate_per_s=rate_per_s, on_progress=note, codec=codec)


def _watch(
    observer: Observer,
    progress: ReplayProgress,
    sender: threading.Thread,
    total: int,
    settings: DemoSettings,
    stack: StackSettings,
    console: Console,
) -> None:
    """Show progress until every update sent has its outcome and no consumer has messages left to process.

    A model server that goes on summarizing is slow and not dead: that is said, and waited for.
    """
    started = moved = time.monotonic()
    work = SummarizerWork(None if stack.models == "instant" else stack.summarizer_url)
    with screen(console) as shown:
        while not _finished(observer, total - len(progress.too_large), stack):
            summarizing = work.moved()
            if observer.poll() or summarizing:
                moved = time.monotonic()
            if not sender.is_alive() and (said := work.slowness(observer.seen, total)):
                shown.say(said)
            shown.show(
                Progress(
                    seen=observer.seen,
                    sent=progress.sent,
                    total=total,
                    elapsed_s=time.monotonic() - started,
                    summarized=work.summarized,
                )
            )
            if time.monotonic() - moved > settings.stall_s and not sender.is_alive():
                raise Stalled(_stalled(observer.seen, total, stack, work.death()))


def _finished(observer: Observer, total: int, stack: StackSettings) -> bool:
    if len(observer.seen.outcomes) < total:
        return False
    kafka = KafkaSettings(bootstrap=stack.bootstrap)
    waits = [
        lag(kafka, MATCHER_GROUP, FEATURES.name),
        lag(kafka, ALERT_GROUP, SCORE_REQUESTS.name),
    ]
    # the last committed alerts may not have reached the observer yet
    return not any(waits) and observer.poll(1.0) == 0


def _stalled(seen: Seen, total: int, stack: StackSettings, death: str) -> str:
    unhealthy = [str(state["name"]) for state in read_state(stack.home) if not state["healthy"]]
    return (
        f"nothing moved: {len(seen.outcomes)} of {total} updates have an outcome; {death}"
        f"unhealthy: {', '.join(unhealthy) or 'nothing'}; logs in {stack.home}/logs"
    )
