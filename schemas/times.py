"""Times of events as UTC microseconds: ISO 8601, and dates such as 05/01/2004 in an order that a setting names."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from schemas.errors import EventError
from schemas.fields import short

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
#: The calendar repeats itself every 400 years.
_US_A_CYCLE = 146_097 * 86_400 * 1_000_000
#: 24:00 is the end of a day in ISO 8601, which Python's parser does not know.
_END_OF_DAY = re.compile(r"(?<=[T ])24(?=(:?00){1,2}([.,]0+)?([Z+-]|$))")
_IN_SOME_ORDER = re.compile(r"(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})(?:,?[T ]\s*(.+))?", re.ASCII)
#: What spreadsheets and databases write where ISO 8601 has `14:30`, `09:30` and `Z`.
_HALF_DAY = re.compile(r"(?<=[T ])(\d{1,2})(:\d\d(?::\d\d)?)\s?([AaPp])\.?[Mm]\.?$", re.ASCII)
_SHORT_HOUR = re.compile(r"(?<=[T ])(?=\d:\d\d)", re.ASCII)
_ZERO = re.compile(
    r"(?<=:\d\d) ?(?:UTC|GMT)$|(?<=\.\d{3}) ?(?:UTC|GMT)$|(?<=\.\d{6}) ?(?:UTC|GMT)$", re.ASCII
)
#: The first year of the hundred that a year of two digits may mean, as POSIX has it: 69 is 1969, 68 is 2068.
_FIRST_SHORT_YEAR = 1969


class DateOrder(StrEnum):
    """The order of day, month and year in dates that are not ISO 8601."""

    DMY = "dmy"
    MDY = "mdy"
    YMD = "ymd"


def instant_us(value: Any, name: str, order: DateOrder | None = None) -> int:
    """UTC microseconds of a time with any offset; without one it is UTC. Raises EventError, also before 1970.

    ISO 8601 always reads as such; `order` says how to read a date like 05/01/2004, which is an error without it.
    """
    if not isinstance(value, str):
        raise EventError(f"{name} must be an ISO 8601 time, not {short(value)}")
    try:
        moment = _moment(value.strip(), order)
    except (ValueError, OverflowError) as error:
        raise EventError(
            f"{name} must be an ISO 8601 time, not {short(value)}{_hint(value, order)}"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    instant = (moment - _EPOCH) // _MICROSECOND
    if instant < 0:
        raise EventError(f"{name} is before 1970: {short(value)}")
    return instant


def iso(us: int) -> str:
    """A time in UTC microseconds as ISO 8601 to the second, also behind the year 9999, where Python's dates end."""
    cycles, within = divmod(us, _US_A_CYCLE)
    moment = _EPOCH + timedelta(microseconds=within)
    return f"{moment.year + 400 * cycles:04}{moment.isoformat(timespec='seconds')[4:]}"


def _moment(text: str, order: DateOrder | None) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        iso = text if order is None else _iso(text, order)
        whole, ends_day = _END_OF_DAY.subn(
            "00", _SHORT_HOUR.sub("0", _HALF_DAY.sub(_hour, _ZERO.sub("Z", iso)))
        )
        return datetime.fromisoformat(whole) + _DAY * ends_day


def _hour(found: re.Match[str]) -> str:
    """A time with AM or PM as ISO 8601 has it; as it is where its hour is none of a half day."""
    hour = int(found[1])
    return f"{hour % 12 + 12 * (found[3] in 'pP'):02}{found[2]}" if 1 <= hour <= 12 else found[0]


def _iso(text: str, order: DateOrder) -> str:
    """The time with its date as ISO 8601 has it; as it is where the date has another form."""
    found = _IN_SOME_ORDER.fullmatch(text)
    if found is None:
        return text
    parts = dict(zip(order, (found[1], found[3], found[4]), strict=True))
    date = f"{_year(parts['y']):04}-{int(parts['m']):02}-{int(parts['d']):02}"
    return f"{date}T{found[5]}" if found[5] else date


def _year(digits: str) -> int:
    if len(digits) not in (2, 4):
        raise ValueError(f"a year of {len(digits)} digits")
    year = int(digits)
    return year if len(digits) == 4 else _FIRST_SHORT_YEAR + (year - _FIRST_SHORT_YEAR) % 100


def _hint(value: str, order: DateOrder | None) -> str:
    if _IN_SOME_ORDER.fullmatch(value.strip()) is None:
        return ""
    if order is not None:
        return f", nor a date in the order {order} (--date-order)"
    return "; --date-order dmy, mdy or ymd says how such dates are read"
