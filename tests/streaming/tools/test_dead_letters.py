"""What a dead letter keeps of its original, and how a replay remembers what it sent."""

from hashlib import sha256

from streaming.kafka.messages import Message, dead_letter
from streaming.kafka.topics import DLQ, UPDATES
from streaming.tools.dead_letters import StoredLetter, is_whole, marker, places, stored


def letter_of(
    value: bytes | None, *, key: bytes | None = b"p1", reason: str = "broken", offset: int = 5
) -> StoredLetter:
    source = Message(UPDATES.name, 2, 17, 1_700_000_000_000, key, value)
    out = dead_letter(source, reason)
    return stored(Message(out.topic, 0, offset, 1_700_000_000_500, out.key, out.value, out.headers), set())


def test_a_dead_letter_reads_back_with_its_origin_and_bytes() -> None:
    found = letter_of(b"\xc3\x01 broken", reason="unknown schema")
    assert found.letter.value == b"\xc3\x01 broken"
    assert (found.letter.topic, found.letter.partition, found.letter.offset) == (UPDATES.name, 2, 17)
    assert (found.letter.key, found.letter.reason) == (b"p1", "unknown schema")
    assert is_whole(found.letter)


def test_a_value_over_the_topics_limit_is_cut_with_its_length_and_hash() -> None:
    value = bytes(UPDATES.max_bytes + 1)
    found = letter_of(value).letter
    assert len(found.value) <= UPDATES.max_bytes
    assert (found.length, found.sha256) == (len(value), sha256(value).hexdigest())
    assert not is_whole(found)


def test_the_largest_source_message_stays_whole_under_a_long_key() -> None:
    key = b"k" * 1000
    assert is_whole(letter_of(bytes(UPDATES.max_bytes - 1000), key=key).letter)


def test_a_foreign_message_is_shown_but_cannot_go_back() -> None:
    found = stored(Message(DLQ.name, 0, 3, 0, None, b"hello", {"partition": b"x"}), set())
    assert found.letter.reason == "not written by this system"
    assert not is_whole(found.letter)


def test_a_marker_names_exactly_the_letters_that_went_back() -> None:
    sent = [letter_of(b"a", offset=5), letter_of(b"b", offset=9)]
    out = marker(sent)
    note = Message(out.topic, 0, 12, 0, out.key, out.value, out.headers)
    assert places(note) == {(0, 5), (0, 9)}


def test_a_letter_is_no_marker() -> None:
    out = dead_letter(Message(UPDATES.name, 0, 1, 0, None, b"0/5"), "broken")
    assert places(Message(out.topic, 0, 1, 0, out.key, out.value, out.headers)) == set()


def test_a_letter_that_went_back_says_so() -> None:
    assert stored(Message(DLQ.name, 0, 5, 0, None, b""), {(0, 5)}).replayed
