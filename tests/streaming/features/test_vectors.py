"""A worker of the feature job gives records their vectors where its settings name an embedder."""

from contextlib import closing

import pytest

from models.vectors import width_of
from pipeline.embedding import VectorCounts
from schemas.codec import decode
from schemas.errors import ConfigError
from schemas.records import FeatureRecord, Op
from streaming.features.worker import FeatureWorker, WorkerSettings, open_vectors
from streaming.kafka.framing import RegistrySettings
from tests.pipeline.builders import content, rows, update


def worker(embedder_url: str) -> FeatureWorker:
    return FeatureWorker(
        WorkerSettings(
            store_url="memory:",
            summarizer_url="instant:",
            tokenizer_dir="",
            source_topic="postings.updates",
            features_topic="postings.features",
            dlq_topic="postings.dlq",
            deadline_s=10,
            max_backoff_s=1,
            max_ahead_s=1e9,
            registry=RegistrySettings(),
            embedder_url=embedder_url,
        )
    )


def sent(made: FeatureWorker) -> tuple[FeatureRecord, VectorCounts]:
    with closing(made):
        nurse = rows([update("p", 1, Op.ADD, content("Nurse", "wards at night"))])
        _, ((_, _, value, _),) = made.featurize([b"p"], nurse)
        assert value is not None
        return decode(FeatureRecord, value), made.vector_counts()


def test_with_an_embedder_records_are_sent_with_vectors_and_counted() -> None:
    record, counts = sent(worker("instant:3"))
    assert (width_of(record.vector), record.vector_model, record.vector_generation) == (256, "hashing@3", 3)
    assert counts == VectorCounts(made=1)


def test_without_an_embedder_nothing_has_a_vector_and_nothing_is_missed() -> None:
    record, counts = sent(worker(""))
    assert (record.vector_hash, counts) == (b"", VectorCounts())


def test_an_embedder_that_is_down_delays_no_batch_for_long() -> None:
    record, counts = sent(worker("http://127.0.0.1:9"))
    assert (record.summary, record.vector_hash, counts) == ("wards at night", b"", VectorCounts(missed=1))


def test_a_url_that_names_no_embedder_is_refused_when_the_worker_starts() -> None:
    with pytest.raises(ConfigError, match="no model server"):
        open_vectors("embedder-tiny")
