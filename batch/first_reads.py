"""Feature store for retried chunks: reads return the records from before the chunk's first attempt.

A row's outcome is what it did the first time; a retry that read its own earlier writes would report "unchanged"
instead.
"""

from collections.abc import Callable, Sequence

from typing_extensions import override

from batch.ledger import Held
from schemas.errors import StoreError
from storage.base import KeyValue
from storage.features import FeatureStore, FeatureWrite


class FirstReadsStore(FeatureStore):
    """A `FeatureStore` whose reads go back to before the chunk's first attempt, except for what this attempt wrote.

    Writes merge with the present records as always: the old ones only decide outcomes.
    """

    def __init__(self, kv: KeyValue) -> None:
        super().__init__(kv)
        self._held: Held = {}
        self._written: set[str] = set()
        self._save: Callable[[Held], None] = _save_nothing

    def begin(self, held: Held | None, save: Callable[[Held], None]) -> None:
        """Begin a chunk.

        `held`: the records saved in an earlier attempt; None in the first, when `save` gets them before any write.
        """
        self._held, self._written = dict(held or {}), set()
        self._save = save if held is None else _save_nothing

    def begin_again(self) -> None:
        """Begin another attempt of the same chunk."""
        self._written = set()

    @override
    def read_raw(self, posting_ids: Sequence[str]) -> list[bytes | None]:
        """A posting that this attempt has written is read as it is now."""
        new = [i for i in dict.fromkeys(posting_ids) if i not in self._held]
        if new:
            self._held.update(zip(new, super().read_raw(new), strict=True))
            self._save(self._held)
        written = [i for i in dict.fromkeys(posting_ids) if i in self._written]
        now = dict(zip(written, super().read_raw(written), strict=True)) if written else {}
        return [now[i] if i in now else self._held[i] for i in posting_ids]

    @override
    def merge_many(self, writes: Sequence[FeatureWrite]) -> list[bytes | StoreError]:
        """Merge with the present records, which `read_raw` returns for these postings until the attempt ends."""
        self._written.update(write.posting_id for write in writes)
        return super().merge_many(writes)

    def changed(self) -> dict[str, bytes]:
        """The present records of the chunk's postings that have changed since before its first attempt."""
        now = zip(self._held, super().read_raw(list(self._held)), strict=True)
        return {i: raw for i, raw in now if raw is not None and raw != self._held[i]}


def _save_nothing(held: Held) -> None:
    """Reporting callback that does nothing: an earlier attempt has saved the records."""
    del held
