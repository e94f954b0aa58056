"""What the fault tests take as evidence; run with all tests, since it kills nothing."""

import time

from models.client.remote import open_ranker, open_summarizer
from pipeline.local import LocalPath
from schemas.codec import decode
from schemas.events import read_events
from schemas.records import FeatureRecord, PostingUpdate
from storage.memory import MemoryStore
from tests.faults import verify, world


def test_a_record_that_was_stored_and_never_published_is_known_from_the_events() -> None:
    """A feature job that died after its write publishes the next version with it when it takes both again."""
    summarizer, ranker = open_summarizer("instant:"), open_ranker("instant:")
    every = list(read_events(world.SAMPLE / "stream.jsonl"))
    events = [e for e in every if isinstance(e, PostingUpdate) and e.posting_id == "sous-chef-lyon"]
    kv = MemoryStore(time.time)
    LocalPath(kv, summarizer, ranker).push(events[:3])
    rows = LocalPath(kv, summarizer, ranker).push(events[:4])
    between = events[2].version
    assert between not in {decode(FeatureRecord, row.value).version for row in rows}
    (record,) = verify.stored_at(every, summarizer, ranker)("sous-chef-lyon", between)
    assert record.version == between
