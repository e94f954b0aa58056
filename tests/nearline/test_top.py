"""`nearline top` on pages that the processes' own metrics wrote: figures, troubles, narrow terminals, a clean end."""

import io
from collections.abc import Callable, Mapping

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from nearline.cli.app import app
from nearline.stack.metrics import StackMetrics
from nearline.stack.settings import StackSettings
from nearline.top.history import History
from nearline.top.pages import Look, Sample, Source, look, parsed, stack_sources
from nearline.top.run import Clock, show, show_once
from schemas.errors import ConfigError
from streaming.alerting.metrics import ConsumerMetrics
from streaming.matching.metrics import MatcherMetrics

SOURCES = [
    Source("consumer", "c"),
    Source("matcher", "m"),
    Source("supervisor", "s"),
    Source("model server", "gone"),
]
RESULTS = ("hits", "early", "stale", "shared", "waits", "rejected", "misses", "failures")


class Processes:
    """Registries of three processes that work on; a fourth is not there."""

    def __init__(self) -> None:
        self.consumer_page, self.matcher_page, self.stack_page = (CollectorRegistry() for _ in range(3))
        self.consumer, self.matcher = ConsumerMetrics(self.consumer_page), MatcherMetrics(self.matcher_page)
        StackMetrics(self.stack_page).show(
            [
                {"name": "kafka", "healthy": True, "restarts": 0},
                {"name": "flink", "healthy": False, "restarts": 2},
            ]
        )
        self.cache = dict.fromkeys(RESULTS, 0)
        self.work(1000)

    def work(self, requests: int) -> None:
        """Settle requests of ten candidates, three of five looked up with a hit."""
        self.consumer.requests.labels("scored").inc(requests)
        self.consumer.candidates.labels("below_threshold").inc(9 * requests)
        self.consumer.alerts.inc(requests)
        for result, number in {"hits": 5, "early": 1, "misses": 4}.items():
            self.cache[result] += number * requests
        for result, total in self.cache.items():
            self.consumer.cache.labels(result).set(total)
        for _ in range(20):
            self.consumer.latency_s.observe(0.3)
        self.consumer.lag.labels("0").set(7)
        self.consumer.lag.labels("1").set(5)

    def get(self, url: str) -> str:
        pages: Mapping[str, CollectorRegistry] = {
            "c": self.consumer_page,
            "m": self.matcher_page,
            "s": self.stack_page,
        }
        if url not in pages:
            raise httpx.ConnectError("refused")
        return generate_latest(pages[url]).decode()


class Hand:
    """A clock whose sleep does the work of the seconds that it takes; stops a display after `turns` sleeps."""

    def __init__(self, work: Callable[[int], None], turns: int = 10**9) -> None:
        self.now_s, self._work, self._turns = 100.0, work, turns

    def sleep(self, seconds: float) -> None:
        if not self._turns:
            raise KeyboardInterrupt
        self._turns -= 1
        self.now_s += seconds
        self._work(round(50 * seconds))

    def clock(self) -> Clock:
        return Clock(now_s=lambda: self.now_s, of_day=lambda: "12:00:00", sleep=self.sleep)


def once(width: int = 100, processes: Processes | None = None) -> list[str]:
    processes, out = processes or Processes(), io.StringIO()
    console = Console(file=out, width=width)
    assert show_once(SOURCES, console, every_s=4.0, clock=Hand(processes.work).clock(), get=processes.get)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def line(lines: list[str], begin: str) -> str:
    (found,) = [one for one in lines if one.startswith(begin)]
    return found


def test_a_frame_shows_lag_rates_latencies_cache_depth_and_fates() -> None:
    lines = once()
    assert line(lines, "requests → alerts").split()[3:] == ["12", "50", "350", "ms", "485", "ms"]
    assert (
        line(lines, "score cache").split(maxsplit=2)[2]
        == "hit rate 60% now   hits 250/s   early 50/s   misses 200/s"
    )
    assert "1,000 candidates a request at most" in line(lines, "depth")
    assert line(lines, "candidates").split()[1:] == ["below_threshold", "450/s"]
    assert line(lines, "alerts sent").split()[2:] == ["50"]


def test_what_is_wrong_stands_on_top_and_what_nobody_shows_is_a_dash() -> None:
    processes = Processes()
    processes.consumer.paused.set(1)
    lines = once(processes=processes)
    assert lines[1:4] == [
        "cannot reach the metrics of model server: no connection",
        "flink is down: see `nearline status`",
        "alert consumer is paused: it waits for an outage to end",
    ]
    assert line(lines, "refusals").split() == ["refusals", "–"]
    assert "–" in line(lines, "model server, items")


#: As Flink writes it, whose labels name the job in every line.
TASKMANAGER = """\
# HELP flink_taskmanager_Status_JVM_CPU_Load Load (scope: taskmanager_Status_JVM_CPU)
# TYPE flink_taskmanager_Status_JVM_CPU_Load gauge
flink_taskmanager_Status_JVM_CPU_Load{host="127_0_0_1",job_name="nearline_features",} 0.5
# HELP flink_taskmanager_job_task_operator_nearline_outcome_applied applied (scope: taskmanager_job_task_operator)
# TYPE flink_taskmanager_job_task_operator_nearline_outcome_applied gauge
flink_taskmanager_job_task_operator_nearline_outcome_applied{job_name="nearline_features",subtask_index="0",} 40.0
"""
PENDING = """\
# HELP flink_taskmanager_job_task_operator_pendingRecords pendingRecords (scope: taskmanager_job_task_operator)
# TYPE flink_taskmanager_job_task_operator_pendingRecords gauge
flink_taskmanager_job_task_operator_pendingRecords{job_name="nearline_features",subtask_index="0",} 12.0
flink_taskmanager_job_task_operator_pendingRecords{job_name="nearline_features",subtask_index="1",} 5.0
"""


@pytest.mark.parametrize(("page", "waits"), [(TASKMANAGER, "–"), (TASKMANAGER + PENDING, "17")])
def test_the_updates_that_wait_are_flinks_and_a_dash_before_it_has_read_any(page: str, waits: str) -> None:
    out, hand = io.StringIO(), Hand(lambda _: None)
    flink = [Source("TaskManager", "t")]
    assert show_once(flink, Console(file=out, width=80), every_s=2.0, clock=hand.clock(), get=lambda _: page)
    row = next(one for one in out.getvalue().splitlines() if one.startswith("updates → features"))
    assert row.split()[3:] == [waits, "0"]


def test_of_a_page_only_what_is_shown_is_kept_and_another_text_is_no_page() -> None:
    assert len(parsed(TASKMANAGER + PENDING)) == 2
    with pytest.raises(ValueError, match="type"):
        parsed("<html>nearline_is_not_here</html>")


def test_an_idle_cache_shows_its_hit_rate_since_the_start() -> None:
    processes, out = Processes(), io.StringIO()
    show_once(
        SOURCES,
        Console(file=out, width=90),
        every_s=4.0,
        clock=Hand(lambda _: None).clock(),
        get=processes.get,
    )
    assert "hit rate 60% since the start" in out.getvalue()


@pytest.mark.parametrize("width", [30, 40, 64, 80, 200])
def test_every_line_fits_the_terminal(width: int) -> None:
    lines = once(width)
    assert max(map(cell_len, lines)) <= width
    assert any("requests → al" in one for one in lines)


def test_control_c_ends_a_display_without_a_trace() -> None:
    processes, out = Processes(), io.StringIO()
    hand = Hand(processes.work, turns=2)
    show(SOURCES, Console(file=out, width=80), every_s=1.0, clock=hand.clock(), get=processes.get)
    assert out.getvalue().count("nearline top  12:00:00") == 3
    terminal = io.StringIO()
    console = Console(file=terminal, width=80, height=30, force_terminal=True, legacy_windows=False)
    show(SOURCES, console, every_s=1.0, clock=Hand(processes.work, turns=1).clock(), get=processes.get)
    assert terminal.getvalue().count("\x1b[?1049h") == terminal.getvalue().count("\x1b[?1049l") == 1


def test_a_counter_of_a_process_that_was_started_anew_counts_from_0() -> None:
    history = History()
    for at_s, total in ((0.0, 1000.0), (10.0, 30.0)):
        history.add(Look(at_s=at_s, samples={"a_total": [Sample({}, total)]}))
    assert history.rate("a_total") == 3.0
    assert history.rate("b_total") is None


def test_looks_older_than_the_window_are_forgotten() -> None:
    history = History(window_s=10.0)
    for at_s in (0.0, 5.0, 10.0, 20.0):
        history.add(Look(at_s=at_s, samples={"a_total": [Sample({}, at_s**2)]}))
    assert history.seconds == 10.0
    assert history.rate("a_total") == 30.0


@pytest.mark.parametrize(("answer", "said"), [("{", "a shows no metrics"), ("", "")])
def test_a_page_that_shows_no_metrics_is_told(answer: str, said: str) -> None:
    assert look([Source("a", "a")], 0.0, lambda _: answer).unreachable == ({"a": said} if said else {})


def test_the_sources_of_a_stack_are_its_processes() -> None:
    found = {one.name: one.url for one in stack_sources(StackSettings(models="http://a:1,http://b:2"))}
    assert found["ranker"] == "http://a:1/metrics"
    assert found["summarizer"] == "http://b:2/metrics"
    assert found["alert consumer"] == "http://127.0.0.1:29003/metrics"
    assert "model server" not in found
    assert "model server" in {one.name for one in stack_sources(StackSettings())}
    assert len(stack_sources(StackSettings(models="instant"))) == 6


def test_the_command_names_what_it_cannot_reach_and_ends_with_status_1() -> None:
    words = ["top", "--once", "--every-s", "0.1", "--at", "matcher=http://127.0.0.1:9"]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 1
    assert "cannot reach the metrics of matcher: no connection" in result.stdout
    with pytest.raises(ConfigError, match="--at 'matcher': give a name and an address"):
        CliRunner().invoke(app, ["top", "--at", "matcher"], catch_exceptions=False)
