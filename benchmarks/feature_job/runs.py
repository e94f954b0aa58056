"""The results of one run, and the digest that shows whether two runs left the same store."""

from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b

from benchmarks.common.sampling import Sample
from storage.opening import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The results of one run. `rate`: records a second over the first 99% of the outputs, by broker timestamps."""

    contender: str
    sync: str
    outputs: int
    rate: float
    cpu_us: dict[str, float]
    store_digest: str
    samples: list[Sample]


def digest(store_url: str) -> str:
    """A hash over all keys and values of the store; runs that did the same work have the same one."""
    found = blake2b(digest_size=16)
    with closing(open_store(store_url)) as kv:
        for key, value in kv.scan():
            found.update(b"%d %d " % (len(key), len(value)) + key + value)
    return found.hexdigest()
