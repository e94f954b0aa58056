"""What spreadsheets and databases write for a missing id and for a time."""

import pytest

from schemas.errors import EventError
from schemas.ids import identifier
from schemas.remote_work import remote_forms
from schemas.times import DateOrder, instant_us, iso


@pytest.mark.parametrize("said", ["#N/A", "N/A", "#REF!", "#VALUE!", "(null)", "\\N", "inf", "-Infinity"])
def test_what_a_table_writes_for_no_value_is_no_id(said: str) -> None:
    with pytest.raises(EventError, match="stands for no value"):
        identifier(said, "id")


@pytest.mark.parametrize(
    ("said", "order", "time"),
    [
        ("01/05/2004 2:30 PM", DateOrder.MDY, "2004-01-05T14:30:00+00:00"),
        ("1/5/2004 12:05:00 AM", DateOrder.MDY, "2004-01-05T00:05:00+00:00"),
        ("1/5/2004 12:05 p.m.", DateOrder.MDY, "2004-01-05T12:05:00+00:00"),
        ("5.1.2004 9:30", DateOrder.DMY, "2004-01-05T09:30:00+00:00"),
        ("2024-03-05 09:30:00 UTC", None, "2024-03-05T09:30:00+00:00"),
        ("2024-03-05 09:30:00.123456 UTC", None, "2024-03-05T09:30:00+00:00"),
    ],
)
def test_a_time_as_tables_write_it_is_read(said: str, order: DateOrder | None, time: str) -> None:
    assert iso(instant_us(said, "ts", order)) == time


@pytest.mark.parametrize("said", ["01/05/2004 13:30 PM", "01/05/2004 0:30 AM", "2024-03-05 UTC"])
def test_a_time_that_cannot_be_is_an_error(said: str) -> None:
    with pytest.raises(EventError, match="ISO 8601"):
        instant_us(said, "ts", DateOrder.MDY)


def test_a_question_in_the_remote_field_is_answered_by_its_answer() -> None:
    assert remote_forms("Remote? No") == ("onsite",)
    assert remote_forms("Remote? Yes") == ("remote",)
