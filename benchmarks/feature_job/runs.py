"""What one run of one contender gave, and whether it did the same as the others."""

from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b

from benchmarks.common.sampling import Sample
from storage.opening import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. `rate`: records a second from the first output to the hundredth before the last (broker's clock)."""

    contender: str
    sync: str
    outputs: int
    rate: float
    cpu_us: dict[str, float]
    store_digest: str
    samples: list[Sample]


def digest(store_url: str) -> str:
    """A hash over every key and value: equal work leaves equal stores."""
    found = blake2b(digest_size=16)
    with closing(open_store(store_url)) as kv:
        for key, value in kv.scan():
            found.update(b"%d %d " % (len(key), len(value)) + key + value)
    return found.hexdigest()
