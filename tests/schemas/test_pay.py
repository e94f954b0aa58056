"""What feeds write as pay, and what a year of it comes to."""

from math import inf

import pytest

from schemas.pay import Pay, pays, read_pay


@pytest.mark.parametrize(
    ("said", "low", "high", "currency"),
    [
        ("£13.50 an hour", 28_080, 28_080, "GBP"),
        ("13,50 € pro Stunde", 28_080, 28_080, "EUR"),
        ("£15ph", 31_200, 31_200, "GBP"),
        ("£31,365 - £37,890 per annum pro rata", 31_365, 37_890, "GBP"),
        ("AfC Band 3: £19,737 to £21,142 pa", 19_737, 21_142, "GBP"),
        ("80-120k", 80_000, 120_000, ""),
        ("$100K+ and equity", 100_000, inf, "USD"),
        ("at least 30k", 30_000, inf, ""),
        ("up to £33,000", 33_000, 33_000, "GBP"),
        ("€ 2.500,00 brutto im Monat", 30_000, 30_000, "EUR"),
        ("SEK 29 850/month", 358_200, 358_200, "SEK"),
        ("12,000 ETB Monthly", 144_000, 144_000, "ETB"),
        ("$55K \u2013 $95K, 0.5% \u2013 2.5%", 55_000, 95_000, "USD"),
        ("$80-120/hr or upto $140,000 w/ benefits", 140_000, 249_600, "USD"),
        ("£31,365 - £37,890 5 days a week", 31_365, 37_890, "GBP"),
        ("£46,620 pro rata + unsociable hours", 46_620, 46_620, "GBP"),
    ],
)
def test_pay_is_read_as_that_of_a_year(said: str, low: float, high: float, currency: str) -> None:
    assert read_pay(said) == Pay(low, high, currency, per_year=True)


@pytest.mark.parametrize(
    "said", ["competitive", "Band 6", "0.5%-1% equity", "40 hours per week", "401k", "", "£"]
)
def test_a_text_without_an_amount_names_no_pay(said: str) -> None:
    assert read_pay(said) is None


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ("30k", "£28,000 - £31,000 pa", True),
        ("30k", "£25,000 - £28,000 pa", False),
        ("15 GBP per hour", "£25,000 pa", False),
        ("15 GBP per hour", "£35,000 pa", True),
        ("30000 GBP", "$20,000", True),
        ("30000 GBP", "competitive", True),
        ("30000 GBP", "from £20,000", True),
        ("2500 per month", "1950-2200", True),
    ],
)
def test_a_posting_passes_unless_its_pay_is_known_to_be_too_low(
    wanted: str, found: str, expected: bool
) -> None:
    assert pays(wanted, found) is expected
