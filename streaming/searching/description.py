"""`python -m streaming.searching.description`: the OpenAPI description of the search service, without a service.

`docs/search-openapi.json` is its output, kept in the repository for generated clients (`make openapi`).
"""

import json
import sys

from prometheus_client import CollectorRegistry

from models.ranker import LexicalRanker
from pipeline.scoring.cached import CachedScorer
from pipeline.search.index import SearchIndex
from pipeline.search.searcher import Searcher
from storage.features import FeatureStore
from storage.memory import MemoryStore
from streaming.searching.app import SearchRoute, create_app
from streaming.searching.metrics import SearchMetrics


def description() -> str:
    """What `/openapi.json` answers, as indented JSON; the same whatever ranker and store stand behind it."""
    metrics, store = SearchMetrics(CollectorRegistry()), FeatureStore(MemoryStore(lambda: 0.0))
    searcher = Searcher(SearchIndex(), store, CachedScorer(LexicalRanker()))
    app = create_app(SearchRoute(searcher, metrics, str, at_once=1), metrics, str)
    return json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(description())
