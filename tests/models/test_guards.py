"""Guards: what no person would accept is found, and a good summary is not."""

import pytest

from models.guards import GUARDS, flags, shares
from models.prompts import Item

ENGLISH = (
    "We are looking for a nurse to join our team and care for the patients of the ward. You will work nights, "
    "with a registration and three years of practice. Free parking and a pension are part of the offer."
)
GERMAN = "Wir suchen eine Pflegekraft für die Station. Sie arbeiten im Team und mit den Patienten, auch in der Nacht."


def found(summary: str, text: str = ENGLISH) -> frozenset[str]:
    item = Item(
        title="Nurse", company="Ward & Co", location="Leeds", employment_type=None, remote=None, text=text
    )
    return flags(summary, item)


@pytest.mark.parametrize(
    ("summary", "guard"),
    [
        ("", "empty"),
        (" ; ,", "empty"),
        (ENGLISH, "copied"),
        ("nurse midwife carer physician surgeon dentist", "stuffed"),
        ("nights nights nights nights registration parking", "stuffed"),
        ("Wir suchen eine Pflegekraft und sie ist mit den Patienten der Station", "off_language"),
        ("медсестра на ночные смены", "off_language"),
    ],
)
def test_a_summary_that_no_person_would_accept_is_found(summary: str, guard: str) -> None:
    assert guard in found(summary)


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        ("care for the patients of the ward; three years of practice", ENGLISH),
        ("nurse; nights; Leeds", ENGLISH),
        ("auch in der Nacht; Sie arbeiten im Team", GERMAN),
        (
            "registering a birth, renewing a permit, contesting a parking fine; a team",
            ENGLISH + " registering a birth, renewing a permit, contesting a parking fine; a team",
        ),
        ("", ""),
        ("夜勤", "夜勤のある病院です。看護師を募集しています。"),
    ],
)
def test_a_good_summary_is_not(summary: str, text: str) -> None:
    assert found(summary, text) == frozenset()


def test_shares_count_each_guard() -> None:
    rows = [frozenset({"empty"}), frozenset[str](), frozenset({"stuffed", "copied"}), frozenset({"empty"})]
    assert shares(rows) == {"empty": 0.5, "copied": 0.25, "stuffed": 0.25, "off_language": 0.0}
    assert set(shares([])) == set(GUARDS)
