"""`python -m benchmarks sizes`: bytes of a posting in the store and on the topics, and of a saved search in memory.

Bytes, not times: the figures are the same on any machine, busy or not. What Kafka and Couchbase add is not in them.
"""

import shutil
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

from benchmarks.common.report import FOLDER, Result, Row, measured_on, say, write
from benchmarks.common.sampling import MIB, disk_mib
from benchmarks.common.settings import SizesBenchmark
from benchmarks.common.updates import ROLES, WORDS, additions
from models.summarizer import InstantSummarizer
from pipeline.featurize import Featurizer, OutcomeRow, SourceRow
from pipeline.percolation.percolator import Percolator
from schemas.codec import Codec, encode
from schemas.records import Alert, Candidate, Posting, PostingUpdate, SavedSearch, ScoreRequest
from storage.features import FeatureStore
from storage.opening import open_store
from streaming.alerting.messages import alert_message
from streaming.features.messages import row
from streaming.kafka.messages import Message, Outgoing
from streaming.kafka.topics import DLQ, FEATURES, UPDATES
from streaming.matching.messages import request_messages
from streaming.searches.table import SearchTable

NAME = "sizes"
HOME = FOLDER.parents[1] / "build" / "bench-sizes"
BATCH = 1000
LATER_US = 3_600_000_000


def measure(settings: SizesBenchmark, folder: Path = FOLDER) -> Result:
    """All of it, written into `folder`."""
    where = measured_on()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    stored = store_bytes(settings, HOME)
    say("store measured")
    tables = {
        "Bytes of a posting in an LMDB store": stored,
        "Bytes of a message: key, value and headers": message_bytes(settings),
        "Bytes of memory of a saved search in a matcher": [search_bytes(settings)],
    }
    shutil.rmtree(HOME)
    result = Result(
        name=NAME,
        title="How much room things take",
        settings=asdict(settings),
        tables=tables,
        findings=findings(tables),
    )
    write(result, folder, where)
    return result


def store_bytes(settings: SizesBenchmark, home: Path) -> list[Row]:
    """Bytes of the file for each posting, by length of the texts: when filled, and after one update of each posting."""
    sizes = {1: settings.postings, settings.longer: settings.postings // settings.longer}
    return [
        row
        for times, count in sizes.items()
        for row in _one_store(list(_additions(count, times)), home / str(times))
    ]


def _one_store(postings: list[PostingUpdate], folder: Path) -> Iterator[Row]:
    length = sum(len(_posting(one).description.encode()) for one in postings) / len(postings)
    with closing(open_store(f"lmdb://{folder}?sync=os")) as kv:
        featurizer = Featurizer(FeatureStore(kv), InstantSummarizer())
        for name, updates in (("filled", postings), ("each updated once", map(_changed, postings))):
            for batch in _batches(updates):
                featurizer.featurize_decoded(batch)
            on_disk = disk_mib(folder) * MIB / len(postings)
            yield {"store": name, "text": length, "on disk": on_disk, "beside the text": on_disk - length}


def _additions(count: int, times: int) -> Iterator[PostingUpdate]:
    """New postings whose text is the feed's, several times over."""
    for update in additions(count):
        posting = _posting(update)
        yield replace(update, posting=replace(posting, description=" ".join([posting.description] * times)))


def message_bytes(settings: SizesBenchmark) -> list[Row]:
    """The mean of a thousand messages on each topic; a request's by the candidate."""
    postings, codec = list(additions(BATCH)), Codec()
    search = _search(0)
    sources = [
        SourceRow(encode(update), UPDATES.name, 0, at, 1_750_000_000_000)
        for at, update in enumerate(postings)
    ]
    with closing(open_store("memory:")) as kv:
        outcomes = Featurizer(FeatureStore(kv), InstantSummarizer()).featurize(sources)
    sent = [
        Outgoing(UPDATES.name, u.posting_id.encode(), s.value) for u, s in zip(postings, sources, strict=True)
    ]
    names = {"features": FEATURES.name, "dlq": DLQ.name}
    features = [_outgoing(source, outcome, names) for source, outcome in zip(sources, outcomes, strict=True)]
    alerts = [alert_message(_alert(search, update), codec) for update in postings]
    request = ScoreRequest(
        search=search,
        candidates=tuple(
            Candidate(posting_id=u.posting_id, version=u.version, updated_ms=1)
            for u in postings[: settings.items]
        ),
        created_ms=1,
    )
    requests = list(request_messages(request, codec))
    found = {"postings.updates": sent, "postings.features": features, "alerts": alerts}
    rows: list[Row] = [{"message": name, "bytes": _mean(messages)} for name, messages in found.items()]
    rows.append(
        {
            "message": f"score.requests, a candidate of {settings.items}",
            "bytes": _mean(requests) / settings.items,
        }
    )
    return rows


def search_bytes(settings: SizesBenchmark) -> Row:
    """What Python allocates for each search that a matcher holds."""
    matcher, table = Percolator(), SearchTable(Codec())
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(settings.searches):
        search = _search(number)
        message = Message("searches", 0, number, 0, search.search_id.encode(), encode(search))
        table.apply(message)
        matcher.put_search(table.subscriptions[search.search_id].search)
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return {"searches": settings.searches, "bytes": taken / settings.searches}


def findings(tables: dict[str, list[Row]]) -> list[str]:
    """One sentence a table."""
    store, messages, searches = tables.values()
    filled, updated = store[::2], store[1::2]
    topics = ", ".join(f"{one['message']}: {one['bytes']:.0f} bytes" for one in messages)
    return [
        *(
            f"A posting with {one['text']:.0f} bytes of text takes {one['on disk']:.0f} bytes of an LMDB store, "
            f"{two['on disk']:.0f} after an update."
            for one, two in zip(filled, updated, strict=True)
        ),
        f"{topics}.",
        f"A saved search takes {searches[0]['bytes']:.0f} bytes of a matcher's memory.",
    ]


def _batches(updates: Iterable[PostingUpdate]) -> Iterator[list[PostingUpdate]]:
    rest = iter(updates)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _posting(update: PostingUpdate) -> Posting:
    if update.posting is None:
        raise ValueError(f"{update.posting_id}: an addition carries its posting")
    return update.posting


def _changed(update: PostingUpdate) -> PostingUpdate:
    posting = _posting(update)
    return replace(
        update,
        version=update.version + LATER_US,
        posting=replace(posting, description=f"{posting.description} Apply soon."),
    )


def _search(number: int) -> SavedSearch:
    query = f"{WORDS[number % len(WORDS)]} {ROLES[number % len(ROLES)]} {WORDS[number * 7 % len(WORDS)]}"
    return SavedSearch(search_id=f"search-{number}", query=query)


def _alert(search: SavedSearch, update: PostingUpdate) -> Alert:
    posting = _posting(update)
    return Alert(
        alert_id="0" * 32,
        search_id=search.search_id,
        posting_id=update.posting_id,
        version=update.version,
        episode=update.version,
        query=search.query,
        title=posting.title,
        company=posting.company,
        p_yes=0.5,
        model="ranker@1",
        updated_ms=1_750_000_000_000,
    )


def _outgoing(source: SourceRow, outcome: OutcomeRow, names: dict[str, str]) -> Outgoing:
    topic, key, value, headers = row(source, outcome.posting_id.encode(), outcome, **names)
    return Outgoing(topic, key, value, dict(headers))


def _mean(messages: Sequence[Outgoing]) -> float:
    sizes = [
        len(m.key or b"")
        + len(m.value or b"")
        + sum(len(name) + len(value) for name, value in m.headers.items())
        for m in messages
    ]
    return sum(sizes) / len(sizes)
