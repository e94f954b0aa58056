"""What is wrong, as far as metrics tell: one line each."""

from collections.abc import Iterator

from nearline.top.history import History
from streaming.process.health import LIMIT_S


def troubles(history: History) -> Iterator[str]:
    """Processes that cannot be reached, components that are down, and what processes say of themselves."""
    for name, why in history.newest.unreachable.items():
        yield f"cannot reach the metrics of {name}: {why}"
    for one in history.newest.values("nearline_component_healthy", {}):
        if not one.value:
            yield f"{one.labels['component']} is down: see `nearline status`"
    if history.highest("nearline_alerts_paused"):
        yield "alert consumer is paused: it waits for an outage to end"
    yield from _of_loops(history)
    if history.highest("flink_taskmanager_job_task_operator_nearline_drift_alarm"):
        yield "summaries of new postings no longer fit the ranker"
    if history.rate("nearline_alerts_cache", result="failures"):
        yield "score cache fails: scores are computed without it"


def _of_loops(history: History) -> Iterator[str]:
    age_s = history.highest("nearline_last_turn_age_seconds") or 0.0
    if age_s > LIMIT_S:
        yield f"a loop stands still: its last turn ended {age_s:.0f} s ago"
    if missing := history.highest("nearline_topics_missing"):
        yield f"{missing:.0f} topics are missing"
