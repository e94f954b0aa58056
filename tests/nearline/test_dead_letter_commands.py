"""`nearline dlq list`, without Kafka."""

from io import StringIO

from rich.console import Console

from nearline.cli.deadletters import table_of
from streaming.kafka.messages import Message, dead_letter
from streaming.kafka.topics import UPDATES
from streaming.tools.dead_letters import stored

WRITTEN_MS = 1_700_000_000_500


def shown(width: int) -> str:
    """One letter as the command prints it on a terminal of this width."""
    out = dead_letter(Message(UPDATES.name, 2, 123_456, 0, b"p1", b"\xc3\x01 broken"), "unknown schema")
    letter = stored(Message(out.topic, 0, 5, WRITTEN_MS, out.key, out.value, out.headers), set())
    text = StringIO()
    Console(file=text, width=width).print(table_of([letter]))
    return text.getvalue()


def test_a_letter_is_listed_with_the_time_when_it_was_written() -> None:
    assert "2023-11-14 22:13:20" in shown(160)


def test_on_a_narrow_terminal_source_and_day_stay_whole() -> None:
    assert "postings.updates/2/123456" in shown(80)
    assert "2023-11-14" in shown(80)
