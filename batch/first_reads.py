"""Feature store for chunks that may be tried again: reads return what was held before the first attempt."""

from collections.abc import Callable, Sequence

from typing_extensions import override

from batch.ledger import Held
from schemas.errors import StoreError
from storage.base import KeyValue
from storage.features import FeatureStore, FeatureWrite


class FirstSeen(FeatureStore):
    """Outcomes are what an update did the first time; a chunk that comes again must meet what it met then.

    Writes merge as ever: what is shown here never decides what is stored.
    """

    def __init__(self, kv: KeyValue) -> None:
        super().__init__(kv)
        self._held: Held = {}
        self._written: set[str] = set()
        self._save: Callable[[Held], None] = _keep

    def begin(self, held: Held | None, save: Callable[[Held], None]) -> None:
        """Begin a chunk: `held` is what its first attempt read; else `save` gets what is read before any write."""
        self._held, self._written = dict(held or {}), set()
        self._save = save if held is None else _keep

    def again(self) -> None:
        """Begin the same chunk again."""
        self._written = set()

    @override
    def read_raw(self, posting_ids: Sequence[str]) -> list[bytes | None]:
        """What this attempt has written is shown as it is."""
        new = [i for i in dict.fromkeys(posting_ids) if i not in self._held]
        if new:
            self._held.update(zip(new, super().read_raw(new), strict=True))
            self._save(self._held)
        written = [i for i in dict.fromkeys(posting_ids) if i in self._written]
        now = dict(zip(written, super().read_raw(written), strict=True)) if written else {}
        return [now[i] if i in now else self._held[i] for i in posting_ids]

    @override
    def merge_many(self, writes: Sequence[FeatureWrite]) -> list[bytes | StoreError]:
        self._written.update(write.posting_id for write in writes)
        return super().merge_many(writes)

    def changed(self) -> dict[str, bytes]:
        """The records, as they are now, of the chunk's postings that are not what they were when it was first begun."""
        now = zip(self._held, super().read_raw(list(self._held)), strict=True)
        return {i: raw for i, raw in now if raw is not None and raw != self._held[i]}


def _keep(held: Held) -> None:
    """Nothing to tell anyone."""
    del held
