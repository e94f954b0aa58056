"""One stream of events in many orders, and the records that a store must hold after it."""

import gzip
import json
import random
from collections.abc import Sequence
from pathlib import Path

from models.summarizer import InstantSummarizer
from pipeline.featurize import Featurizer, SourceRow
from schemas.codec import encode
from schemas.events import BrokenLine, read_events
from schemas.records import FeatureRecord, PostingUpdate
from storage.features import FeatureStore
from storage.opening import open_store
from tests.plain_fold import plain_fold

SAMPLE = Path(__file__).parents[2] / "nearline" / "sample" / "stream.jsonl"


def good_lines(target: Path) -> Path:
    """The sample stream without the lines that are broken on purpose."""
    broken = {event.number for event in read_events(SAMPLE) if isinstance(event, BrokenLine)}
    lines = enumerate(SAMPLE.read_bytes().splitlines(keepends=True), start=1)
    target.write_bytes(b"".join(line for number, line in lines if number not in broken))
    return target


def updates(stream: Path) -> list[PostingUpdate]:
    return [event for event in read_events(stream) if isinstance(event, PostingUpdate)]


def push(featurizer: Featurizer, events: Sequence[PostingUpdate], size: int) -> None:
    """Featurize the events in batches of `size`, as a stream does."""
    for start in range(0, len(events), size):
        batch = events[start : start + size]
        featurizer.featurize([SourceRow(encode(event), "local", 0, 0, 0) for event in batch])


def sequential(stream: Path) -> list[FeatureRecord]:
    """The records after featurizing the events one by one, sorted by version."""
    store = FeatureStore(open_store("memory:"))
    push(Featurizer(store, InstantSummarizer()), sorted(updates(stream), key=lambda u: u.version), 1)
    return list(store.scan())


def shuffled(stream: Path, seed: int, target: Path) -> Path:
    """The stream's lines shuffled, but a posting's events of one instant in their order, which makes their versions."""
    chooser = random.Random(seed)
    keys: dict[tuple[str, str], float] = {}
    lines = stream.read_bytes().splitlines()
    rows = [(event["id"], event["ts"]) for event in map(json.loads, lines)]
    order = sorted(range(len(lines)), key=lambda i: (keys.setdefault(rows[i], chooser.random()), i))
    target.write_bytes(b"\n".join(lines[i] for i in order) + b"\n")
    return target


def check_plainly(stream: Path, records: Sequence[FeatureRecord], scratch: Path) -> None:
    """Compare the records with those of a fold that shares no code with ours."""
    packed = scratch / "plain.jsonl.gz"
    # a line that comes twice is one event to us, but two to the plain fold
    lines = dict.fromkeys(stream.read_bytes().splitlines(keepends=True))
    packed.write_bytes(gzip.compress(b"".join(lines)))
    expected = plain_fold(packed)
    assert {r.posting_id for r in records} == set(expected)
    for record in records:
        final = expected[record.posting_id]
        assert (record.version, str(record.state), record.episode) == (
            final.version,
            final.state,
            final.episode,
        )
        assert (record.content_version >= 0) == (final.content is not None)
        if final.content is not None:
            # the sample has a soft hyphen, which no reader sees
            assert record.title == final.content["title"].replace("\xad", "")
