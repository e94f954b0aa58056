"""Admission: work-conserving, classes in order, deadlines kept, alerts never refused, nothing lost."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.control.admission import Admission
from pipeline.control.concurrency_limit import AimdLimit, AimdSettings, ConcurrencyLimit, FixedLimit, Outcome
from pipeline.control.gradient_limit import GradientLimit, GradientSettings
from pipeline.control.policies import AdmissionSettings, ClassPolicy
from pipeline.control.work import Decision, Work
from schemas.errors import ConfigError
from schemas.traffic import TrafficClass, traffic_class

ONLINE, NEARLINE, REFRESH = TrafficClass.ONLINE, TrafficClass.NEARLINE, TrafficClass.REFRESH
DEFAULTS = AdmissionSettings()
LIMITS: dict[str, Callable[[], ConcurrencyLimit]] = {
    "fixed": lambda: FixedLimit(100.0),
    "aimd": lambda: AimdLimit(AimdSettings()),
    "gradient": lambda: GradientLimit(GradientSettings(probe_every_s=5.0)),
}


def work(traffic: TrafficClass, cost: float = 10.0, deadline: float = inf, payload: int = 0) -> Work[int]:
    return Work(traffic, cost, payload, deadline)


def admission(limit: float = 100.0, **policies: ClassPolicy) -> Admission[int]:
    changed = {traffic_class(name): policy for name, policy in policies.items()}
    made = replace(DEFAULTS, policies={**DEFAULTS.policies, **changed})
    return Admission(FixedLimit(limit), made)


class AnyCourse(RuleBasedStateMachine):
    """Work is offered, ends and waits in any order; after each event the caller takes what may begin."""

    make_limit = staticmethod(LIMITS["fixed"])

    def __init__(self) -> None:
        super().__init__()
        self.limit = self.make_limit()
        self.admission: Admission[int] = Admission(self.limit)
        self.now = 0.0
        self.running: list[Work[int]] = []
        self.waiting: list[Work[int]] = []
        self.offered: Counter[TrafficClass] = Counter()
        self.refused: Counter[TrafficClass] = Counter()

    @rule(traffic=st.sampled_from(TrafficClass), cost=st.floats(0.5, 150), left_s=st.floats(0.01, 30))
    def offer(self, traffic: TrafficClass, cost: float, left_s: float) -> None:
        one = work(traffic, cost, self.now + left_s)
        verdict = self.admission.offer(self.now, one)
        self.offered[traffic] += 1
        if verdict.decision is Decision.ADMIT:
            mine = [other for other in self.waiting if other.traffic is traffic]
            assert not mine, "new work overtook waiting work of its class"
            self.running.append(one)
        elif verdict.decision is Decision.DEFER:
            self.waiting.append(one)
        else:
            self.refused[traffic] += 1
            assert verdict.reason
        if verdict.decision is not Decision.ADMIT:
            assert verdict.retry_after_s > 0
        self.drain()

    @rule(number=st.integers(0, 99), outcome=st.sampled_from(Outcome))
    def end(self, number: int, outcome: Outcome) -> None:
        if self.running:
            one = self.running.pop(number % len(self.running))
            self.admission.done(self.now, one, outcome)
            self.drain()

    @rule(seconds=st.floats(0.001, 5))
    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.drain()

    def drain(self) -> None:
        for one in self.admission.overdue(self.now):
            assert one.traffic is not NEARLINE, "an alert was refused"
            self.waiting.remove(one)
            self.refused[one.traffic] += 1
        used = Counter[TrafficClass]()
        for one in self.running:
            used[one.traffic] += one.cost  # type: ignore[assignment]
        while (one_more := self.admission.take(self.now)) is not None:
            mine = [other for other in self.waiting if other.traffic is one_more.traffic]
            assert one_more.deadline == min(other.deadline for other in mine), "out of the order of deadlines"
            if DEFAULTS.policies[one_more.traffic].sheds:
                assert one_more.deadline >= self.now, "handed out past its deadline"
            own = used[one_more.traffic] < DEFAULTS.policies[one_more.traffic].own_share * self.limit.limit
            higher = [other for other in self.waiting if other.traffic > one_more.traffic]
            assert own or not higher, "a lower class began before a higher one that waits"
            used[one_more.traffic] += one_more.cost  # type: ignore[assignment]
            self.waiting.remove(one_more)
            self.running.append(one_more)

    @invariant()
    def nothing_is_lost(self) -> None:
        state = self.admission.state()
        for traffic, own in state.classes.items():
            running = [one for one in self.running if one.traffic is traffic]
            assert own.in_flight == pytest.approx(sum(one.cost for one in running), abs=1e-6)
            assert own.waiting == sum(one.traffic is traffic for one in self.waiting)
            assert own.shed == self.refused[traffic]
            assert self.offered[traffic] == own.admitted + own.taken + own.waiting + own.shed
        assert state.in_flight == pytest.approx(sum(one.cost for one in self.running), abs=1e-6)
        assert 0 <= self.admission.saturation() <= 1
        assert self.refused[NEARLINE] == 0

    @invariant()
    def nothing_waits_while_there_is_room(self) -> None:
        if not self.waiting:
            return
        used = sum(one.cost for one in self.running)
        assert used > 0, "idle while work waits"
        first = max(self.waiting, key=lambda one: (one.traffic, -one.deadline))
        share = 1.0 if first.traffic is ONLINE else DEFAULTS.policies[first.traffic].most_share
        assert used + first.cost > share * self.limit.limit - 1e-6


class AnyCourseUnderAimd(AnyCourse):
    make_limit = staticmethod(LIMITS["aimd"])


class AnyCourseUnderGradient(AnyCourse):
    make_limit = staticmethod(LIMITS["gradient"])


for course in (AnyCourse, AnyCourseUnderAimd, AnyCourseUnderGradient):
    course.TestCase.settings = settings(max_examples=15, stateful_step_count=30)
TestAnyCourse = AnyCourse.TestCase
TestAnyCourseUnderAimd = AnyCourseUnderAimd.TestCase
TestAnyCourseUnderGradient = AnyCourseUnderGradient.TestCase


def test_a_higher_class_value_is_sooner() -> None:
    assert ONLINE > NEARLINE > REFRESH
    assert [traffic_class(one.label) for one in TrafficClass] == list(TrafficClass)
    with pytest.raises(ValueError, match="online"):
        traffic_class("urgent")


def test_deferred_alerts_run_in_the_gaps_as_soon_as_online_work_is_done() -> None:
    gate = admission()
    first, alert = work(ONLINE, 90.0), work(NEARLINE, 90.0)
    assert gate.offer(0.0, first).decision is Decision.ADMIT
    assert gate.offer(0.0, alert).decision is Decision.DEFER
    assert gate.take(0.1) is None
    gate.done(0.2, first)
    assert gate.take(0.2) is alert


def test_alone_a_lower_class_has_the_whole_limit() -> None:
    gate = admission()
    assert [gate.offer(0.0, work(NEARLINE)).decision for _ in range(11)] == [Decision.ADMIT] * 10 + [
        Decision.DEFER
    ]


def test_beside_a_higher_class_it_leaves_room_for_it() -> None:
    gate = admission()
    gate.offer(0.0, work(ONLINE))
    verdicts = [gate.offer(0.0, work(NEARLINE)).decision for _ in range(10)]
    assert verdicts.count(Decision.ADMIT) == 6
    assert gate.offer(0.0, work(ONLINE, 30.0)).decision is Decision.ADMIT


def test_the_room_for_a_higher_class_is_used_once_it_is_quiet() -> None:
    gate = admission()
    online = work(ONLINE)
    gate.offer(0.0, online)
    for _ in range(12):
        gate.offer(0.0, work(NEARLINE))
    gate.done(0.1, online)
    taken = 0
    while gate.take(0.1):
        taken += 1
    wakes_at = gate.wakes_at(0.1)
    assert taken == 1
    assert wakes_at == pytest.approx(0.1 + DEFAULTS.quiet_s)
    while gate.take(1.2):
        taken += 1
    assert taken == 4


def test_alerts_keep_their_own_share_under_endless_online_work() -> None:
    gate = admission(nearline=ClassPolicy(own_share=0.1, most_share=0.7))
    online = [work(ONLINE) for _ in range(10)]
    for one in online:
        gate.offer(0.0, one)
    gate.offer(0.0, work(NEARLINE))
    gate.offer(0.0, work(ONLINE))
    gate.done(0.1, online[0])
    taken = gate.take(0.1)
    assert taken is not None
    assert taken.traffic is NEARLINE


def test_online_work_that_cannot_meet_its_deadline_is_shed_with_a_time_to_come_again() -> None:
    gate = admission()
    running = [work(ONLINE, 50.0, 0.5) for _ in range(2)]
    for one in running:
        gate.offer(0.0, one)
    gate.done(0.4, running[0])
    gate.offer(0.4, work(ONLINE, 50.0, 1.0))
    assert gate.offer(0.4, work(ONLINE, 50.0, 2.0)).decision is Decision.DEFER
    late = gate.offer(0.4, work(ONLINE, 50.0, 0.9))
    assert (late.decision, late.reason) == (Decision.SHED, "the deadline cannot be met")
    assert late.retry_after_s >= 0.1


def test_waiting_online_work_is_shed_when_its_time_has_passed_and_alerts_are_kept() -> None:
    gate = admission()
    gate.offer(0.0, work(ONLINE, 100.0))
    gate.offer(0.0, work(ONLINE, deadline=0.5, payload=1))
    gate.offer(0.0, work(NEARLINE, deadline=0.5))
    assert gate.wakes_at(0.1) == 0.5
    assert [one.payload for one in gate.overdue(0.6)] == [1]
    assert gate.state().classes[NEARLINE].waiting == 1


def test_a_bucket_slows_a_class_down_while_a_higher_one_is_active_and_lends_it_gaps() -> None:
    gate = admission(1000.0, nearline=ClassPolicy(rate_per_s=10.0, burst=10.0))
    gate.offer(0.0, work(ONLINE))
    assert gate.offer(0.0, work(NEARLINE)).decision is Decision.ADMIT
    assert gate.offer(0.0, work(NEARLINE)).decision is Decision.DEFER
    assert gate.take(0.9) is None
    assert gate.take(1.01) is not None
    alone = admission(1000.0, nearline=ClassPolicy(rate_per_s=10.0, burst=10.0))
    assert [alone.offer(0.0, work(NEARLINE)).decision for _ in range(3)] == [Decision.ADMIT] * 3


def test_a_bucket_that_does_not_borrow_holds_always() -> None:
    gate = admission(1000.0, nearline=ClassPolicy(rate_per_s=10.0, burst=10.0, borrows=False))
    assert gate.ask(0.0, work(NEARLINE)).decision is Decision.ADMIT
    verdict = gate.ask(0.0, work(NEARLINE))
    assert verdict.decision is Decision.DEFER
    assert verdict.retry_after_s == pytest.approx(1.0)
    assert gate.ask(1.0, work(NEARLINE)).decision is Decision.ADMIT


def test_asking_keeps_nothing() -> None:
    gate = admission()
    gate.ask(0.0, work(NEARLINE, 100.0))
    assert gate.ask(0.0, work(NEARLINE)).decision is Decision.DEFER
    assert gate.state().classes[NEARLINE].waiting == 0


def test_time_in_the_queue_is_not_latency() -> None:
    gate = admission()
    first, second = work(NEARLINE, 100.0), work(NEARLINE, 100.0)
    gate.offer(0.0, first)
    gate.offer(0.0, second)
    gate.done(50.0, first)
    assert gate.take(50.0) is second
    gate.done(50.2, second)
    latency_s = gate.state().latency_s
    assert latency_s is not None
    assert latency_s < 50.0


@pytest.mark.parametrize("cost", [0.0, -1.0, nan, inf])
def test_work_of_an_impossible_cost_is_refused(cost: float) -> None:
    with pytest.raises(ValueError, match="cost"):
        admission().offer(0.0, work(ONLINE, cost))


def test_a_deadline_that_is_no_time_is_refused() -> None:
    with pytest.raises(ValueError, match="deadline"):
        admission().offer(0.0, work(ONLINE, deadline=nan))


def test_work_that_is_not_in_flight_cannot_end() -> None:
    gate, one = admission(), work(ONLINE)
    gate.offer(0.0, one)
    gate.done(1.0, one)
    with pytest.raises(ValueError, match="not in flight"):
        gate.done(1.0, one)


def test_a_clock_that_steps_back_loses_nothing() -> None:
    gate, one = admission(), work(ONLINE)
    gate.offer(10.0, one)
    gate.done(nan, one)
    gate.offer(5.0, work(NEARLINE))
    state = gate.state()
    assert (state.steps_back, state.in_flight) == (2, 10.0)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("own_share", nan), ("own_share", 0.8), ("most_share", 0.0), ("rate_per_s", 0.0), ("burst", 0.0)],
)
def test_a_policy_that_cannot_work_is_refused_by_name(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=setting):
        admission(nearline=ClassPolicy(**{"most_share": 0.5, "rate_per_s": 1.0} | {setting: value}))  # type: ignore[arg-type]


def test_settings_name_a_class_without_a_policy_and_shares_above_the_whole() -> None:
    with pytest.raises(ConfigError, match="refresh"):
        AdmissionSettings(policies={ONLINE: ClassPolicy(), NEARLINE: ClassPolicy()})
    with pytest.raises(ConfigError, match="own_share"):
        AdmissionSettings(policies=dict.fromkeys(TrafficClass, ClassPolicy(own_share=0.4)))
    with pytest.raises(ConfigError, match="quiet_s"):
        AdmissionSettings(quiet_s=0.0)
