"""One Python worker of the feature job, independent of Flink: a store, a summarizer and the featurizer over both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.client.embedder import open_embedder
from models.client.http import ClientConfig
from models.client.limiter import Load
from models.client.remote import HttpSummarizer, open_summarizer
from pipeline.embedding import VectorCounts, VectorMaker
from pipeline.featurize import Featurizer, FeaturizeSettings, OutcomeRow, SourceRow
from schemas.errors import ModelUnavailable, NearlineError
from schemas.records import FeatureRecord, Outcome
from schemas.traffic import TrafficClass
from storage.features import FeatureStore
from storage.opening import open_store
from streaming.features.drift import open_drift
from streaming.features.messages import Row, row
from streaming.kafka.framing import RegistrySettings, open_codec
from streaming.process.fault_probe import crash_at

Ready = tuple[list[tuple[OutcomeRow, Row] | None], ModelUnavailable | None]
"""Outcome and message of each row, None while it waits for a summary, and why one does."""

EMBEDDER_ATTEMPTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """The settings that Flink pickles for each worker; `max_backoff_s`: longest pause between attempts in an outage."""

    store_url: str
    summarizer_url: str
    tokenizer_dir: str
    source_topic: str
    features_topic: str
    dlq_topic: str
    deadline_s: float
    max_backoff_s: float
    max_ahead_s: float
    registry: RegistrySettings
    embedder_url: str = ""
    drift_ranker_url: str = ""
    drift_tokenizer_dir: str = ""
    drift_share: float = 0.0
    crash_at: str = ""


class FeatureWorker:
    """Featurizes batches of updates into Kafka messages.

    Make it in the process that uses it: an LMDB environment or a connection can be neither pickled nor forked.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        tokenizer = Path(settings.tokenizer_dir) if settings.tokenizer_dir else None
        summarizer = open_summarizer(settings.summarizer_url, tokenizer)
        self._summarizer = summarizer
        self._probe = crash_at(settings.crash_at)
        self._codec = open_codec(settings.registry, {FeatureRecord: settings.features_topic})
        try:
            self.drift = open_drift(settings, self._codec)
            self._kv = open_store(settings.store_url)
        except NearlineError:
            self._codec.close()
            raise
        self._vectors = open_vectors(settings.embedder_url)
        limits = FeaturizeSettings(deadline_s=settings.deadline_s, max_ahead_s=settings.max_ahead_s)
        store = FeatureStore(self._kv)
        self._featurizer = Featurizer(store, summarizer, limits, codec=self._codec, vectors=self._vectors)

    def reach(self) -> None:
        """Read from the store once. Raises StoreUnavailable, or ConfigError for a wrong login or address."""
        self._kv.get_many([b"?"])

    def featurize(
        self, keys: Sequence[bytes | None], rows: Sequence[SourceRow]
    ) -> tuple[list[OutcomeRow], list[Row]]:
        """The outcomes of a batch and the messages to send for them; raises what `Featurizer.featurize` raises."""
        made, outage = self.featurize_ready(keys, rows)
        if outage is not None:
            raise outage
        done = [pair for pair in made if pair is not None]
        return [outcome for outcome, _ in done], [message for _, message in done]

    def featurize_ready(self, keys: Sequence[bytes | None], rows: Sequence[SourceRow]) -> Ready:
        """Each row's outcome and message, None while it waits for a summary; raises as `Featurizer.featurize_ready`."""
        outcomes, outage = self._featurizer.featurize_ready(rows)
        self._probe("stored")
        if self.drift is not None:
            self.drift.offer(rows, outcomes)
        if self._settings.registry.url:
            outcomes = [outcome and self._reframed(outcome) for outcome in outcomes]
        names = {"features": self._settings.features_topic, "dlq": self._settings.dlq_topic}
        triples = zip(rows, keys, outcomes, strict=True)
        made = [None if o is None else (o, row(source, key, o, **names)) for source, key, o in triples]
        return made, outage

    def load(self) -> Load:
        """What the summarizer's client does now, for metrics; zeros without a model server."""
        return self._summarizer.load() if isinstance(self._summarizer, HttpSummarizer) else Load()

    def vector_counts(self) -> VectorCounts:
        """How many records got a vector or did not, for metrics; zeros without an embedder."""
        return self._vectors.counts if self._vectors else VectorCounts()

    def _reframed(self, outcome: OutcomeRow) -> OutcomeRow:
        """The outcome with its record in Confluent framing, for the topic; a dead letter's bytes stay as they are."""
        if outcome.outcome is Outcome.DEAD_LETTERS:
            return outcome
        return replace(outcome, value=self._codec.reframe(FeatureRecord, outcome.value))

    def close(self) -> None:
        """Close the drift monitor, the store and the schema registry's client."""
        if self.drift is not None:
            self.drift.close()
        self._kv.close()
        self._codec.close()


def open_vectors(embedder_url: str) -> VectorMaker | None:
    """Open what gives records their vectors, None for the URL "". Raises ConfigError for a URL that names no embedder.

    Calls are hardly repeated: while the embedder is away, records are written without vectors.
    """
    if not embedder_url:
        return None
    config = ClientConfig(attempts=EMBEDDER_ATTEMPTS, traffic=TrafficClass.NEARLINE)
    return VectorMaker(open_embedder(embedder_url, config))
