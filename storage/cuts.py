"""Notes on pairs that were not scored, because their request had more candidates than the depth allowed."""

import logging
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.errors import StoreError
from schemas.keys import cut_key
from storage.base import KeyValue

log = logging.getLogger(__name__)

TTL_S = 7 * 86_400.0
"""7 days, as long as alerts stay on their topic: after that nobody asks why an alert did not come."""
_CUT = struct.Struct("<IIIq")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Why a pair was not scored: its `place` among the `candidates` of its request, from 1, was behind `depth`.

    `at_ms`: when that was, in milliseconds UTC.
    """

    depth: int
    place: int
    candidates: int
    at_ms: int


class CutNotes:
    """The notes by alert id over any `KeyValue`; the newest of a pair stays, for `TTL_S`."""

    def __init__(self, kv: KeyValue) -> None:
        self._kv = kv

    def put_many(self, cuts: Sequence[tuple[str, Cut]]) -> None:
        """Write notes. A failure is logged, not raised: without its note a pair is still counted as cut."""
        rows = [
            (cut_key(alert_id), _CUT.pack(cut.depth, cut.place, cut.candidates, cut.at_ms))
            for alert_id, cut in cuts
        ]
        try:
            failed = [error for error in self._kv.put_many(rows, ttl_s=TTL_S) if error is not None]
        except StoreError as error:
            failed = [error]
        if failed:
            log.warning("pairs that were not scored are not noted: %s", failed[0])

    def get(self, alert_id: str) -> Cut | None:
        """The newest note of a pair's present opening, or None. Raises StoreUnavailable."""
        (data,) = self._kv.get_many([cut_key(alert_id)])
        if data is None or len(data) != _CUT.size:
            return None
        depth, place, candidates, at_ms = _CUT.unpack(data)
        return Cut(depth=depth, place=place, candidates=candidates, at_ms=at_ms)
