"""The score cache that processes share, by its URL."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pipeline.scoring.lifetimes import ScoreLifetimes
from schemas.settings import Option
from storage.opening import open_store
from storage.scores import ScoreCache
from streaming.process.member import Running

#: The URL of a cache that is in the memory of one process alone.
MEMORY = "memory:"
CacheUrl = Annotated[
    str,
    Option(
        "Score cache that instances share, such as lmdb:///path?sync=os; memory: keeps scores in this process alone.",
        "--cache",
        metavar="URL",
    ),
]


def shared_cache(process: Running[Any], url: str, lifetimes: ScoreLifetimes) -> ScoreCache | None:
    """The cache behind the memory of this process, closed at the process's end; None where there is only that."""
    if url == MEMORY:
        return None
    store = process.closed_at_end(open_store(url))
    return ScoreCache(store, ttl_s=lifetimes.ttl_s, reads_wait=urlsplit(url).scheme != "lmdb")
