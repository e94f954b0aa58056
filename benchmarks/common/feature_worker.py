"""The feature job's worker without a model, for benchmarks that run its work outside Flink."""

from streaming.features.settings import FeatureJobSettings
from streaming.features.worker import FeatureWorker
from streaming.kafka.settings import KafkaSettings


def worker(store_url: str) -> FeatureWorker:
    """A worker with the feature job's default settings and the instant summarizer."""
    job = FeatureJobSettings(kafka=KafkaSettings(), store_url=store_url, summarizer_url="instant:")
    return FeatureWorker(job.worker())
