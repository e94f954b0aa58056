"""The vector register of a record: a vector that is of the record's present texts, or none.

A reader may take any vector that it finds in a record for one of the record's texts. It compares only vectors of one
model and one width, which the record names.
"""

from dataclasses import replace

from schemas.keys import parts_hash
from schemas.records import NEVER, FeatureRecord

NO_VECTOR = FeatureRecord(posting_id="", version=NEVER)


def embedded_hash(content: FeatureRecord, summary: str) -> bytes:
    """Hash over all that an embedder may read of a posting: title, metadata and the given summary."""
    return parts_hash(
        content.title, content.company, content.location, content.employment_type, content.remote, summary
    )


def has_vector(record: FeatureRecord) -> bool:
    """Whether an embedder has read the record's present texts; its vector is b"" if there was nothing to embed."""
    return record.vector_hash != b""


def with_vector(record: FeatureRecord, vector: bytes, model: str, generation: int) -> FeatureRecord:
    """The record with a vector of its present texts; b"" says that `model` gives none for them."""
    return replace(
        record,
        vector=vector,
        vector_hash=embedded_hash(record, record.summary),
        vector_model=model,
        vector_generation=generation,
    )


def without_old_vector(record: FeatureRecord) -> FeatureRecord:
    """The record, without its vector if that is of other texts."""
    if record.vector_hash in (b"", embedded_hash(record, record.summary)):
        return record
    return replace(record, vector=b"", vector_hash=b"", vector_model="", vector_generation=0)


def vector_of(a: FeatureRecord, b: FeatureRecord, content: FeatureRecord, summary: str) -> FeatureRecord:
    """Which of two records has the vector of these texts: of the higher generation if both; `NO_VECTOR` if neither."""
    if not (a.vector_hash or b.vector_hash):
        return NO_VECTOR
    wanted = embedded_hash(content, summary)
    return max((r for r in (a, b) if r.vector_hash == wanted), key=_order, default=NO_VECTOR)


def _order(record: FeatureRecord) -> tuple[int, str, bytes]:
    return record.vector_generation, record.vector_model, record.vector
