"""`nearline store copy`: merges one store into another; order, repetition and writers beside it do not matter."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from schemas.codec import Codec
from schemas.errors import StoreError
from schemas.keys import copy_key
from storage.base import KeyValue
from storage.tools.row_kinds import Kind, kinds

BATCH_ROWS = 500


@dataclass(slots=True)
class Copied:
    """Rows by kind: `read` from the source; of those `written`, the others were there already, as new or newer.

    `failures`: the first keys that could not be merged, with their reasons; `failed` counts them all.
    """

    read: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    resumed: bool = False


def copy_store(
    source: KeyValue, target: KeyValue, name: str, *, on_progress: Callable[[Copied], None] = lambda _: None
) -> Copied:
    """Merge every row of `source` into `target`, batch by batch; a row that fails is counted and left behind.

    After each batch the target notes how far the copy from `name` came; after a kill the next call goes on there. What
    the source's writers change behind that place waits for another copy. Raises StoreUnavailable and StoreFull.
    """
    place, done = copy_key(name), Copied()
    start = target.get_many([place])[0] or b""
    done.resumed = bool(start)
    for kind in kinds(Codec()):
        rows = source.scan(kind.prefix, start)
        while batch := dict(islice(rows, BATCH_ROWS)):
            _merge(target, kind, batch, done)
            target.put_many([(place, next(reversed(batch)))])
            on_progress(done)
    target.put_many([(place, None)])
    return done


def _merge(target: KeyValue, kind: Kind, batch: dict[bytes, bytes], done: Copied) -> None:
    written: set[bytes] = set()

    def merge(key: bytes, stored: bytes | None) -> bytes | None:
        merged = kind.merge(key, batch[key], stored)
        (written.discard if merged is None else written.add)(key)
        return merged

    results = target.merge_many(list(batch), merge, ttl_s=kind.ttl_s)
    errors = [result for result in results if isinstance(result, StoreError)]
    done.read[kind.name] += len(batch)
    done.written[kind.name] += len(written)
    done.failed += len(errors)
    done.failures += [str(error) for error in islice(errors, max(0, 10 - len(done.failures)))]


def count_rows(store: KeyValue) -> dict[str, int]:
    """How many rows of each kind a store holds, by one scan each."""
    return {kind.name: _length(store.scan(kind.prefix)) for kind in kinds(Codec())}


def _length(rows: Iterator[object]) -> int:
    return sum(1 for _ in rows)
