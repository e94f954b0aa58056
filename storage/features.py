"""`FeatureStore`: a posting's record and its raw text under two keys; the merge of registers decides what is newest."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from schemas.codec import Codec
from schemas.errors import DecodeError, StoreError
from schemas.keys import feature_key, text_key
from schemas.merge import merge
from schemas.records import FeatureRecord
from storage.base import KeyValue, refusal

FEATURES, TEXTS = feature_key(""), text_key("")
_TEXT = struct.Struct(">q?B")  # content version, removed, length of the content hash


@dataclass(frozen=True, slots=True, kw_only=True)
class RawText:
    """A posting's text as its owner wrote it; with `removed`, a tombstone of all texts up to `content_version`."""

    content_version: int
    content_hash: bytes = b""
    description: str = ""
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureWrite:
    """One posting's part of a bulk write.

    `seen`: the bytes that `FeatureStore.read_raw` gave; `record`: those merged with the batch's events; `text`: the
    new raw text, where the batch brought content or a removal.
    """

    posting_id: str
    seen: bytes | None
    record: FeatureRecord
    text: RawText | None = None


class FeatureStore:
    """Feature records and raw texts over any `KeyValue`.

    Every write is a merge, so that a write that arrives late cannot replace a newer record.
    """

    def __init__(self, kv: KeyValue, codec: Codec | None = None) -> None:
        self._kv = kv
        self._codec = codec or Codec()

    def read_raw(self, posting_ids: Sequence[str]) -> list[bytes | None]:
        """The encoded records as they are stored and sent. Raises StoreUnavailable."""
        return self._kv.get_many([feature_key(posting_id) for posting_id in posting_ids])

    def get_many(self, posting_ids: Sequence[str]) -> list[FeatureRecord | None]:
        """The records; raises StoreUnavailable, and StoreError for one that no schema here can read."""
        stored = self.read_raw(posting_ids)
        return [
            None if data is None else self._record(feature_key(posting_id), data)
            for posting_id, data in zip(posting_ids, stored, strict=True)
        ]

    def texts(self, posting_ids: Sequence[str]) -> list[RawText | None]:
        """The raw texts, None where there is none or it was removed. Raises as `get_many` does."""
        keys = [text_key(posting_id) for posting_id in posting_ids]
        stored = zip(keys, self._kv.get_many(keys), strict=True)
        texts = [None if data is None else read_text(key, data) for key, data in stored]
        return [None if text is None or text.removed else text for text in texts]

    def merge_many(self, writes: Sequence[FeatureWrite]) -> list[bytes | StoreError]:
        """One bulk write: the encoded record that the store now holds of each posting, or why it was not written.

        Where the store still holds `seen`, `record` is written as it is; else it is merged with the record that
        another writer stored meanwhile. Raises StoreFull and StoreUnavailable, then nothing is acknowledged.
        """
        plan = _Plan(self._codec)
        for write in writes:
            plan.add(write)
        done = dict(zip(plan.keys, self._kv.merge_many(plan.keys, plan.merge), strict=True))
        return [plan.result(write.posting_id, done) for write in writes]

    def scan(self) -> Iterator[FeatureRecord]:
        """Every record, tombstones included, in the order of the ids' bytes."""
        for key, data in self._kv.scan(FEATURES):
            yield self._record(key, data)

    def _record(self, key: bytes, data: bytes) -> FeatureRecord:
        return decoded(self._codec, key, data)


class _Plan:
    """The merges of one bulk write; `merge` has no side effects, because a back end may call it again."""

    def __init__(self, codec: Codec) -> None:
        self.keys: list[bytes] = []
        self._codec = codec
        self._features: dict[bytes, tuple[bytes | None, FeatureRecord, bytes]] = {}
        self._texts: dict[bytes, tuple[RawText, bytes]] = {}
        self._keys_of: dict[str, tuple[bytes, bytes]] = {}
        self._refused: dict[str, StoreError] = {}

    def add(self, write: FeatureWrite) -> None:
        """Add a write, merged with an earlier one of the same posting; refused as a whole if a part is too large."""
        posting_id, record, text = write.posting_id, write.record, write.text
        key, text_at = self._keys_of[posting_id] = (feature_key(posting_id), text_key(posting_id))
        data = self._codec.encode(record)
        text_data = b"" if text is None else _text_bytes(text)
        if (error := refusal(key, data) or refusal(text_at, text_data)) is not None:
            self._refused[posting_id] = error
            return
        if key in self._features:
            record = merge(self._features[key][1], record)
            data = self._codec.encode(record)
        else:
            self.keys.append(key)
        self._features[key] = (write.seen, record, data)
        if text is not None:
            self._add_text(text_at, text, text_data)

    def _add_text(self, key: bytes, text: RawText, data: bytes) -> None:
        earlier = self._texts.get(key)
        if earlier is None:
            self.keys.append(key)
        if earlier is None or _order(text) > _order(earlier[0]):
            self._texts[key] = (text, data)

    def merge(self, key: bytes, stored: bytes | None) -> bytes | None:
        """The store's merge function over both kinds of key."""
        found = self._features.get(key)
        if found is None:
            text, data = self._texts[key]
            return _newer_text(key, text, data, stored)
        seen, record, data = found
        if stored is not None and stored != seen:
            data = self._codec.encode(merge(decoded(self._codec, key, stored), record))
        return None if data == stored else data

    def result(self, posting_id: str, done: dict[bytes, bytes | None | StoreError]) -> bytes | StoreError:
        """One posting's result: the stored bytes of its record, or its first error."""
        if posting_id in self._refused:
            return self._refused[posting_id]
        key, text_at = self._keys_of[posting_id]
        text = done.get(text_at)
        if isinstance(text, StoreError):
            return text
        # a record that was written is never None
        return cast("bytes | StoreError", done[key])


def decoded(codec: Codec, key: bytes, data: bytes) -> FeatureRecord:
    """Decode the record under `key`; raises StoreError if no schema here can read it."""
    try:
        return codec.decode(FeatureRecord, data)
    except DecodeError as error:
        raise StoreError(f"{key!r} holds no readable feature record: {error}") from error


def merge_records(codec: Codec, key: bytes, data: bytes, stored: bytes | None) -> bytes | None:
    """Merge another store's record into `stored`; None leaves `stored`. Raises StoreError for unreadable bytes."""
    record = decoded(codec, key, data)
    if stored is not None and stored != data:
        data = codec.encode(merge(decoded(codec, key, stored), record))
    return None if data == stored else data


def merge_texts(key: bytes, data: bytes, stored: bytes | None) -> bytes | None:
    """Merge another store's raw text into `stored`; None leaves `stored`. Raises StoreError for unreadable bytes."""
    return _newer_text(key, read_text(key, data), data, stored)


def _newer_text(key: bytes, text: RawText, data: bytes, stored: bytes | None) -> bytes | None:
    return data if stored is None or _order(text) > _order(read_text(key, stored)) else None


def _order(text: RawText) -> tuple[int, bool, bytes, str]:
    return text.content_version, text.removed, text.content_hash, text.description


def _text_bytes(text: RawText) -> bytes:
    head = _TEXT.pack(text.content_version, text.removed, len(text.content_hash))
    return head + text.content_hash + text.description.encode()


def read_text(key: bytes, data: bytes) -> RawText:
    """Decode the raw text under `key`; raises StoreError for bytes that are not one."""
    try:
        version, removed, hash_bytes = _TEXT.unpack_from(data)
        description = data[_TEXT.size + hash_bytes :].decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise StoreError(f"{key!r} holds no readable text: {error}") from error
    content_hash = data[_TEXT.size : _TEXT.size + hash_bytes]
    return RawText(
        content_version=version, content_hash=content_hash, description=description, removed=removed
    )
