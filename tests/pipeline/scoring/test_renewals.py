"""When a lease is renewed, under a clock that the test moves."""

from collections import Counter

from pipeline.scoring.renewals import Renewals
from tests.conformance.conftest import ManualClock


def test_what_is_held_is_renewed_each_third_of_a_lease_up_to_its_deadline_and_not_afterwards() -> None:
    clock, renewed = ManualClock(), Counter[str]()
    began = clock.now
    renewals = Renewals(lease_s=30.0, clock=clock)
    with renewals.during(lambda: renewed.update(["long"]), began + 100.0):
        with renewals.during(lambda: renewed.update(["short"]), began + 15.0):
            for second in range(1, 26):
                clock.now = began + second
                renewals.renew()
        assert renewed == {"long": 2, "short": 1}
        clock.now = began + 100.0
        renewals.renew()
    clock.now = began + 60.0
    renewals.renew()
    assert renewed == {"long": 2, "short": 1}


def test_a_renewal_that_fails_does_not_keep_the_next_one_from_being_made() -> None:
    clock, renewed = ManualClock(), Counter[str]()
    renewals = Renewals(lease_s=3.0, clock=clock)

    def fail() -> None:
        raise OSError("no store")

    until = clock.now + 10.0
    with renewals.during(fail, until), renewals.during(lambda: renewed.update(["other"]), until):
        clock.now += 1.0
        renewals.renew()
    assert renewed == {"other": 1}
