"""A search service of this process over made-up postings, with a model server of its own process."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from prometheus_client import CollectorRegistry

from benchmarks.common.served import served
from benchmarks.common.settings import SearchBenchmark
from models.client.http import ClientConfig
from models.client.remote import open_ranker
from models.embedder import HashingEmbedder
from models.prompts import embedder_input
from pipeline.scoring.cached import CachedScorer
from pipeline.scoring.items import item_of
from pipeline.search.index import SearchIndex
from pipeline.search.searcher import Searcher, SearchSettings
from pipeline.understanding.rules import RuleUnderstanding
from schemas.records import FeatureRecord
from schemas.traffic import TrafficClass
from storage.features import FeatureStore, FeatureWrite
from storage.opening import open_store
from streaming.search_service import FIRST_WORDS
from streaming.searching.app import SearchRoute, create_app
from streaming.searching.metrics import SearchMetrics
from streaming.searching.serving import Served

WRITES = 1_000
AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What is measured: the address of the service, its parts, and how long its index took."""

    url: str
    index: SearchIndex
    scorer: CachedScorer
    records: Sequence[FeatureRecord]
    put_s: Sequence[float]


@contextmanager
def running(settings: SearchBenchmark, postings: Sequence[FeatureRecord]) -> Iterator[System]:
    """The service over a store with these postings, each with a vector; stopped at the end."""
    embedder = HashingEmbedder()
    records = [_with_vector(one, embedder) for one in postings]
    with TemporaryDirectory() as folder, ExitStack() as opened:
        store = opened.enter_context(closing(open_store(f"lmdb://{folder}/store?sync=os&map_size=4G")))
        features, index = FeatureStore(store), SearchIndex()
        RuleUnderstanding().understand(FIRST_WORDS)
        _write(features, records)
        put_s = [_timed_put(index, one) for one in records]
        _, port = opened.enter_context(served(Path(settings.ranker), settings.threads))
        asked = ClientConfig(traffic=TrafficClass.ONLINE, retry_busy=False)
        scorer = CachedScorer(open_ranker(f"http://127.0.0.1:{port}", Path(settings.ranker), asked))
        aims = SearchSettings(depth=settings.depth, least_depth=settings.least_depth)
        searcher = Searcher(index, features, scorer, aims, embedder=embedder)
        metrics = SearchMetrics(CollectorRegistry())
        app = create_app(SearchRoute(searcher, metrics, lambda: "", AT_ONCE), metrics, lambda: "")
        service = opened.enter_context(closing(Served(app, "127.0.0.1", 0)))
        yield System(
            url=f"http://127.0.0.1:{service.port}/v1/search",
            index=index,
            scorer=scorer,
            records=records,
            put_s=put_s,
        )


def _with_vector(record: FeatureRecord, embedder: HashingEmbedder) -> FeatureRecord:
    (vector,) = embedder.embed_postings([embedder_input(item_of(record))], 1.0)
    return replace(record, vector=vector, vector_model=embedder.model)


def _write(features: FeatureStore, records: Sequence[FeatureRecord]) -> None:
    for at in range(0, len(records), WRITES):
        part = records[at : at + WRITES]
        features.merge_many([FeatureWrite(posting_id=one.posting_id, seen=None, record=one) for one in part])


def _timed_put(index: SearchIndex, record: FeatureRecord) -> float:
    began = perf_counter()
    index.put(record)
    return perf_counter() - began
