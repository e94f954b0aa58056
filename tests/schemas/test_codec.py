from dataclasses import replace
from io import BytesIO
from typing import Any
from zlib import crc32

import pytest
from fastavro import schemaless_writer
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import avro
from schemas.codec import CRC_BYTES, HEADER_BYTES, NO_CRC, SCHEMA_NAMES, Record, decode, encode
from schemas.errors import DecodeError
from schemas.records import DeadLetter, Op, Posting, PostingUpdate, SavedSearch
from tests.schemas.strategies import EXAMPLES, postings, records, updates
from tests.schemas.wire import as_datum, sealed

pytestmark = pytest.mark.timeout(60)

examples = pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: type(record).__name__)


def read(record: Record, data: bytes) -> Any:
    return decode(type(record), data)  # type: ignore[type-var]


@settings(deadline=None, max_examples=100)
@given(record=records)
def test_every_record_comes_back_as_it_was(record: Record) -> None:
    assert read(record, encode(record)) == record


@settings(deadline=None, max_examples=100)
@given(record=records)
def test_the_compiled_code_writes_the_bytes_that_fastavro_writes(record: Record) -> None:
    schema = avro.current(SCHEMA_NAMES[type(record)])
    body = BytesIO()
    schemaless_writer(body, schema.parsed, {**as_datum(record), "crc": NO_CRC})
    data = encode(record)
    assert data[HEADER_BYTES:-CRC_BYTES] == body.getvalue()[:-CRC_BYTES]
    assert data[-CRC_BYTES:] == crc32(data[:-CRC_BYTES]).to_bytes(4, "big")


@examples
def test_bytes_begin_with_the_marker_and_the_fingerprint_of_the_schema(record: Record) -> None:
    data = encode(record)
    assert data[:2] == b"\xc3\x01"
    assert data[2:10] == avro.current(SCHEMA_NAMES[type(record)]).fingerprint


def test_the_fingerprint_is_that_of_the_avro_specification() -> None:
    # CRC-64-AVRO of the canonical form of a record, computed here from the specification's definition.
    text = '{"name":"A","type":"record","fields":[{"name":"x","type":"long"}]}'
    empty = value = 0xC15D213AA4D7A795
    for byte in text.encode():
        entry = (value ^ byte) & 0xFF
        for _ in range(8):
            entry = (entry >> 1) ^ (empty & -(entry & 1))
        value = (value >> 8) ^ entry
    assert avro.load("a", text).fingerprint == value.to_bytes(8, "little")


@examples
def test_every_truncation_is_an_error(record: Record) -> None:
    data = encode(record)
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            read(record, data[:length])


@examples
def test_every_single_byte_changed_to_any_other_value_is_an_error(record: Record) -> None:
    data = bytearray(encode(record))
    for position, original in enumerate(data):
        for value in range(256):
            if value != original:
                data[position] = value
                with pytest.raises(DecodeError):
                    read(record, bytes(data))
        data[position] = original


@settings(deadline=None, max_examples=100)
@given(record=records, start=st.integers(0), burst=st.binary(min_size=1, max_size=60))
def test_overwritten_bytes_give_an_error_or_the_record_itself(
    record: Record, start: int, burst: bytes
) -> None:
    data = bytearray(encode(record))
    start %= len(data)
    data[start : start + len(burst)] = burst
    try:
        assert read(record, bytes(data)) == record
    except DecodeError:
        assert bytes(data) != encode(record)


@examples
def test_a_tail_of_zeros_as_a_torn_write_leaves_it_is_an_error(record: Record) -> None:
    data = encode(record)
    for kept in range(len(data) - 1):
        if data[kept:] != bytes(len(data) - kept):
            with pytest.raises(DecodeError):
                read(record, data[:kept] + bytes(len(data) - kept))


@settings(deadline=None, max_examples=100)
@given(record=st.sampled_from(EXAMPLES), data=st.binary(max_size=200), framed=st.booleans())
def test_random_bytes_are_an_error_with_our_header_too(record: Record, data: bytes, framed: bool) -> None:
    header = avro.current(SCHEMA_NAMES[type(record)]).header if framed else b""
    with pytest.raises(DecodeError):
        read(record, header + data)


@settings(deadline=None, max_examples=100)
@given(record=st.sampled_from(EXAMPLES), body=st.binary(max_size=200))
def test_random_bodies_with_a_fitting_checksum_give_an_error_or_the_only_record_they_encode(
    record: Record, body: bytes
) -> None:
    data = sealed(avro.current(SCHEMA_NAMES[type(record)]).header + body)
    try:
        found = read(record, data)
    except DecodeError:
        return
    assert encode(found) == data


@settings(deadline=None, max_examples=100)
@given(record=records, position=st.integers(0), value=st.integers(0, 255))
def test_a_changed_byte_under_a_fitting_checksum_never_crashes_or_decodes_two_ways(
    record: Record, position: int, value: int
) -> None:
    data = bytearray(encode(record)[:-CRC_BYTES])
    data[HEADER_BYTES + position % (len(data) - HEADER_BYTES)] = value
    try:
        found = read(record, sealed(bytes(data)))
    except DecodeError:
        return
    assert encode(found) == sealed(bytes(data))


def test_a_number_of_more_bits_than_its_field_has_is_an_error() -> None:
    letter = DeadLetter(reason="", topic="", partition=1, offset=0, key=None, value=b"", length=0, sha256="")
    data = encode(letter)[:-CRC_BYTES]
    at = HEADER_BYTES + 2  # behind two empty texts
    assert data[at] == 2  # the partition, zigzag
    with pytest.raises(DecodeError):
        read(letter, sealed(data[:at] + b"\x80\x80\x80\x80\x10" + data[at + 1 :]))


@examples
def test_bytes_after_the_record_are_an_error(record: Record) -> None:
    for tail in (b"\x00", b"none", encode(record)):
        with pytest.raises(DecodeError):
            read(record, encode(record) + tail)
        with pytest.raises(DecodeError):
            read(record, sealed(encode(record) + tail))


@pytest.mark.parametrize(
    ("record", "wanted"),
    [(record, cls) for record in EXAMPLES for cls in SCHEMA_NAMES if cls is not type(record)],
    ids=lambda each: getattr(each, "__name__", type(each).__name__),
)
def test_one_kind_of_record_is_never_read_as_another(record: Record, wanted: Any) -> None:
    with pytest.raises(DecodeError, match="no known framing"):
        decode(wanted, encode(record))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x06abc", "damaged"),
        (b"\x02\xff\x02\x00\x00", "utf-8"),
        (b"\x02a\x02\x0e\x00\x01", "KeyError"),
        (b"\x02a\x02\x0c\x04\x01", "KeyError"),
        (b"\x02a\x02\x06\x04\x01", "union"),
        (b"\x01a\x02\x06\x00\x01", "negative length"),
        (b"\x82\x00a\x02\x06\x00\x01", "no proper form"),
        (b"\x02a" + b"\xff" * 11 + b"\x01\x06\x00\x01", "no proper form"),
        (b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01a\x02\x06\x00\x01", "damaged"),
        (b"\x02a\x02\x06\x00\x01\x00", "ends at byte"),
    ],
)
def test_a_body_that_avro_does_not_allow_is_an_error_that_says_why(body: bytes, why: str) -> None:
    header = avro.current("posting_update").header
    assert decode(PostingUpdate, sealed(header + b"\x02a\x02\x06\x00\x01")).op is Op.CLOSE
    with pytest.raises(DecodeError, match=why):
        decode(PostingUpdate, sealed(header + body))


def test_a_list_that_claims_to_be_endless_costs_no_memory() -> None:
    request = next(record for record in EXAMPLES if type(record).__name__ == "ScoreRequest")
    search_bytes = b"\x02s\x02q\x00\x00\x00" + bytes(8) + b"\x00"
    data = sealed(
        avro.current("score_request").header + search_bytes + b"\xfe" + b"\xff" * 8 + b"\x01" + b"\x02"
    )
    with pytest.raises(DecodeError):
        read(request, data)


@settings(deadline=None, max_examples=100)
@given(record=records)
def test_a_foreign_writer_may_leave_the_checksum_at_its_default(record: Record) -> None:
    data = encode(record)
    assert read(record, data[:-CRC_BYTES] + NO_CRC) == record


@settings(deadline=None, max_examples=100)
@given(record=records, position=st.integers(0), value=st.integers(0, 255))
def test_without_a_checksum_a_changed_byte_gives_an_error_or_the_only_record_it_encodes(
    record: Record, position: int, value: int
) -> None:
    data = bytearray(encode(record)[:-CRC_BYTES])
    data[HEADER_BYTES + position % (len(data) - HEADER_BYTES)] = value
    try:
        found = read(record, bytes(data) + NO_CRC)
    except DecodeError:
        return
    assert encode(found)[:-CRC_BYTES] == bytes(data)


def test_a_number_over_its_types_range_is_damage_also_without_a_checksum() -> None:
    data = encode(SavedSearch(search_id="s", query="q", top_k=1))[:-CRC_BYTES]
    at = data.rindex(b"\x02")  # the limit a day, zigzag; the fields behind it are zeros
    too_large = data[:at] + bytes.fromhex("8080808010") + data[at + 1 :] + NO_CRC
    with pytest.raises(DecodeError, match="2147483648 does not fit"):
        decode(SavedSearch, too_large)


def test_text_in_any_script_and_a_megabyte_of_it_come_back() -> None:
    for text in ("看護師 募集", "ممرضة ليلية", "Nürnberg\u0000\n", "👩‍⚕️🏥", "x" * 2**20, "看" * 2**20):
        posting = Posting(title=text[:100], description=text)
        update = PostingUpdate(posting_id="p", version=1, op=Op.ADD, posting=posting)
        assert decode(PostingUpdate, encode(update)) == update


@settings(deadline=None, max_examples=50)
@given(update=updates, posting=postings)
def test_text_that_utf_8_cannot_hold_is_refused_when_it_is_written(
    update: PostingUpdate, posting: Posting
) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        encode(replace(update, posting=replace(posting, description="\ud800")))


@pytest.mark.parametrize("version", [2**63, -(2**63) - 1, 2**200])
def test_a_version_past_64_bits_is_refused_when_it_is_written(version: int) -> None:
    with pytest.raises(OverflowError):
        encode(PostingUpdate(posting_id="a", version=version, op=Op.CLOSE))


def test_a_top_k_past_32_bits_is_refused_when_it_is_written() -> None:
    search = next(record for record in EXAMPLES if type(record).__name__ == "SavedSearch")
    with pytest.raises(OverflowError):
        encode(replace(search, top_k=2**31))  # type: ignore[arg-type]
