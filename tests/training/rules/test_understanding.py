"""What is counted of readings beside the needs of their queries."""

from models.prompts import Item
from pipeline.understanding.rules import RuleUnderstanding
from training.judging.postings import PostingRow
from training.rules.teacher import Needs
from training.rules.understanding import count


def posting(text: str, location: str) -> PostingRow:
    item = Item(
        title="Nurse", company=None, location=location, employment_type="FULL_TIME", remote=None, text=text
    )
    return PostingRow(posting_id=text, item=item, posted_at=None, source=None)


def test_readings_and_refusals_are_counted_by_what_was_asked() -> None:
    wards = posting("a ward by day", "Leeds, GB")
    nights = posting("a ward at night", "Leeds, GB")
    asked = [
        (
            "nurse in Leeds, no nights",
            Needs(occupation="nurse", place="leeds", without="nights"),
            [(wards, 4), (nights, 0)],
        ),
        ("nurse, not with children", Needs(occupation="nurse", without="children"), []),
        ("nurse in Hull", Needs(occupation="nurse"), [(wards, 3)]),
        ("nurse", Needs(occupation="nurse"), [(wards, 4)]),
    ]
    counts = count(RuleUnderstanding(), asked)
    assert (counts["queries"], counts["queries with a filter"]) == (4, 3)
    assert (counts["places asked for"], counts["of them read"], counts["places that nobody asked for"]) == (
        1,
        1,
        1,
    )
    assert (counts["denials"], counts["of them set"]) == (2, 2)
    assert (counts["good pairs"], counts["good pairs refused"]) == (2, 1)
    assert (counts["poor pairs"], counts["poor pairs refused"]) == (1, 1)
