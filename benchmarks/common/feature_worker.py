"""The feature job's worker without a model, for benchmarks that prepare or compare its work."""

from streaming.features.settings import FeatureJobSettings
from streaming.features.worker import FeatureWorker
from streaming.kafka.settings import KafkaSettings


def worker(store_url: str) -> FeatureWorker:
    """The work as the job's workers do it by default, on an instant summarizer."""
    job = FeatureJobSettings(kafka=KafkaSettings(), store_url=store_url, summarizer_url="instant:")
    return FeatureWorker(job.worker())
