"""What the processes really export: samples by name with their labels, as Prometheus reads them."""

import gc
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import httpx
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from models.engine.instant import InstantEngine
from nearline.cli.options import CHECKPOINTS
from nearline.stack.metrics import StackMetrics
from streaming.alerting.metrics import ConsumerMetrics
from streaming.features.settings import FeatureJobSettings
from streaming.kafka.settings import KafkaSettings
from streaming.matching.metrics import MatcherMetrics
from streaming.process.health import LoopHealth
from tests.models.running import COMPLETION, SCORE, post, serving

#: A sample's name → the labels that its samples have.
Exported = dict[str, frozenset[str]]

#: Where Flink's Prometheus reporter shows what a Python function registers.
FLINK_PREFIX = "flink_taskmanager_job_task_operator_nearline_"
JOB = frozenset({"job_id", "job_name", "host"})
TASK = JOB | {"tm_id", "task_id", "task_name", "subtask_index", "operator_id", "operator_name"}
#: Flink's own metrics that rules, dashboard and pages name; test_stack.py asks a running Flink for them.
FLINK_OWN: Exported = {
    "flink_jobmanager_numRunningJobs": frozenset({"host"}),
    "flink_jobmanager_job_lastCheckpointCompletedTimestamp": JOB,
    "flink_jobmanager_job_lastCheckpointDuration": JOB,
    "flink_jobmanager_job_numRestarts": JOB,
    "flink_jobmanager_job_numberOfFailedCheckpoints": JOB,
    "flink_taskmanager_job_task_busyTimeMsPerSecond": TASK - {"operator_id", "operator_name"},
    "flink_taskmanager_job_task_operator_pendingRecords": TASK,
}
#: Prometheus's own, and the labels that it adds to every sample.
PROMETHEUS: Exported = {"up": frozenset()}
ADDED = {"job", "instance"}


def exported() -> Exported:
    """Every sample of every process."""
    return kafka_processes() | model_server() | feature_job() | FLINK_OWN | PROMETHEUS


def kafka_processes() -> Exported:
    """Of matcher, alert consumer and supervisor: their metrics on a registry, with what they learn while they run."""
    registry = CollectorRegistry()
    matcher, consumer = MatcherMetrics(registry), ConsumerMetrics(registry)
    LoopHealth(registry)
    for lag in (matcher.lag, consumer.lag):
        lag.labels("0").set(1)
    for result in ("hits", "misses", "failures"):
        consumer.cache.labels(result).set(0)
    for verdict in ("admitted", "deferred", "shed"):
        consumer.admissions.labels(verdict).set(0)
    StackMetrics(registry).show([{"name": "kafka", "healthy": True, "restarts": 0}])
    return samples(generate_latest(registry).decode())


def model_server() -> Exported:
    """Of a model server that has answered each route and refused a request."""
    with serving(InstantEngine("ranker@1")) as url:
        post(url, "score", SCORE)
        post(url, "completions", COMPLETION)
        post(url, "score", b"no JSON")
        return samples(httpx.get(f"{url}/metrics").text)


def feature_job() -> Exported:
    """What the job's Python function registers when Flink opens it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyflink warns of itself when it is imported
        from streaming.features.flink_function import FeaturizeFunction

    settings = FeatureJobSettings(
        kafka=KafkaSettings(),
        store_url="memory:",
        summarizer_url="instant:",
        drift_ranker_url="instant:",
        drift_tokenizer_dir=str(CHECKPOINTS / "ranker-tiny"),
    )
    function, context = FeaturizeFunction(settings.worker()), _Context()
    function.open(context)
    function.close()
    gc.unfreeze()
    return dict.fromkeys((FLINK_PREFIX + name for name in context.names), TASK)


def samples(text: str) -> Exported:
    """The samples of one page of metrics."""
    found: dict[str, frozenset[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, frozenset()) | sample.labels.keys()
    return found


def missing(names: Iterable[str], page: str) -> list[str]:
    """Those of `names` that a page of metrics lacks."""
    there = samples(page)
    return sorted(name for name in names if name not in there)


class _Context:
    """As much of Flink's function context as `open` uses; keeps what is registered."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def get_metric_group(self) -> Any:
        return self

    def add_group(self, name: str) -> Any:
        assert name == "nearline"
        return self

    def counter(self, name: str) -> None:
        self.names.append(name)

    def gauge(self, name: str, _value: Callable[[], int]) -> None:
        self.names.append(name)
