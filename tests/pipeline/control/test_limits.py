"""Every concurrency limit: bounds, what it learns from, and that it finds what a server bears."""

from collections.abc import Callable, Sequence
from itertools import cycle
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.control.baselines import Baselines
from pipeline.control.concurrency_limit import (
    AimdLimit,
    AimdSettings,
    Completion,
    ConcurrencyLimit,
    FixedLimit,
    Outcome,
)
from pipeline.control.gradient_limit import GradientLimit, GradientSettings
from schemas.errors import ConfigError

AIMD, GRADIENT = AimdSettings(), GradientSettings()
MAKERS: dict[str, Callable[[], ConcurrencyLimit]] = {
    "fixed": lambda: FixedLimit(100.0),
    "aimd": lambda: AimdLimit(AIMD),
    "gradient": lambda: GradientLimit(GRADIENT),
}
LEARNERS = ["aimd", "gradient"]
every_limit = pytest.mark.parametrize("name", MAKERS)
completions = st.builds(
    Completion, st.floats(0, 20), st.floats(0, 500), st.floats(1, 50), st.sampled_from(Outcome)
)


def served(
    limit: ConcurrencyLimit, seconds: float, bears: float, own_s: float = 0.1, now: float = 0.0
) -> float:
    """A server that answers in `own_s` up to `bears` units in flight, and proportionally slower above."""
    ends = now + seconds
    while now < ends:
        latency_s = own_s * max(1.0, limit.limit / bears)
        for _ in range(max(1, int(limit.limit / 10))):
            limit.observe(now + latency_s, Completion(latency_s, limit.limit, 10.0))
        now += latency_s
    return now


@every_limit
@given(seen=st.lists(st.tuples(st.floats(0, 30), completions), max_size=80))
def test_the_limit_stays_within_its_bounds(name: str, seen: list[tuple[float, Completion]]) -> None:
    limit, now = MAKERS[name](), 0.0
    for pause_s, done in seen:
        now += pause_s
        told = limit.observe(now, done)
        assert told == limit.limit == limit.state().limit
        assert told == GRADIENT.probe or 10.0 <= told <= 10_000.0


@every_limit
@pytest.mark.parametrize(
    "done",
    [
        Completion(0.001, 100.0, 1.0, Outcome.REFUSED),
        Completion(9.0, 100.0, 1.0, Outcome.REFUSED),
        Completion(nan, 100.0),
        Completion(inf, 100.0),
        Completion(-1.0, 100.0),
        Completion(0.1, nan),
        Completion(0.1, 100.0, nan),
    ],
)
def test_a_refusal_or_an_impossible_figure_teaches_nothing(name: str, done: Completion) -> None:
    limit, twin = MAKERS[name](), MAKERS[name]()
    for step in range(200):
        limit.observe(step * 0.1, done)
        assert limit.observe(step * 0.1, Completion(0.1, 60.0)) == twin.observe(
            step * 0.1, Completion(0.1, 60.0)
        )
    if name in LEARNERS:
        assert limit.state().ignored == 200


@pytest.mark.parametrize("name", LEARNERS)
def test_it_finds_what_the_server_bears(name: str) -> None:
    limit = MAKERS[name]()
    now = served(limit, 300.0, bears=400.0)
    seen = []
    for _ in range(100):
        now = served(limit, 1.0, 400.0, now=now)
        seen.append(limit.limit)
    assert 300.0 < sorted(seen)[50] < 1600.0


@pytest.mark.parametrize("name", LEARNERS)
def test_a_slower_server_gets_less_and_a_faster_one_more_again(name: str) -> None:
    limit = MAKERS[name]()
    now = served(limit, 200.0, bears=400.0)
    before = limit.limit
    now = served(limit, 60.0, bears=50.0, now=now)
    assert limit.limit < before / 2
    served(limit, 300.0, bears=400.0, now=now)
    assert limit.limit > 300.0


@pytest.mark.parametrize("name", LEARNERS)
def test_a_limit_that_is_not_used_does_not_grow(name: str) -> None:
    limit = MAKERS[name]()
    for step in range(400):
        limit.observe(step * 0.1, Completion(0.1, 10.0))
    assert limit.limit == 100.0


@pytest.mark.parametrize("name", LEARNERS)
@given(seen=st.lists(completions, max_size=40), one=st.floats(0, 20), other=st.floats(0, 20))
def test_a_slower_answer_never_raises_the_limit_above_a_faster_one(
    name: str, seen: list[Completion], one: float, other: float
) -> None:
    """Whole windows of answers, because a gradient changes once a window; the baseline is settled before."""
    calm, loaded = MAKERS[name](), MAKERS[name]()
    for step, done in enumerate(
        [*seen, *[Completion(0.0, 100.0)] * (2 * GRADIENT.window - len(seen) % GRADIENT.window)]
    ):
        calm.observe(step * 0.01, done)
        loaded.observe(step * 0.01, done)
    for limit, latency_s in zip((calm, loaded), sorted((one, other)), strict=True):
        for _ in range(GRADIENT.window):
            limit.observe(50.0, Completion(latency_s, 1000.0, 1.0))
    assert loaded.limit <= calm.limit


def test_aimd_shrinks_once_a_round_trip() -> None:
    limit = AimdLimit(AIMD)
    for _ in range(50):
        limit.observe(10.0, Completion(1.0, 100.0))
    assert limit.state().decreases == 1
    limit.observe(11.5, Completion(1.0, 100.0))
    assert limit.state().decreases == 2


def test_the_gradient_measures_its_baseline_with_few_in_flight_and_returns_to_its_limit() -> None:
    limit = GradientLimit(GRADIENT)
    now = served(limit, 59.0, bears=400.0)
    before = limit.limit
    while limit.limit > GRADIENT.probe:
        now = served(limit, 0.1, 400.0, now=now)
    # what began before the probe was slowed by the queue, and counts for nothing
    limit.observe(now, Completion(5.0, 1.0))
    for _ in range(GRADIENT.probe_answers):
        assert limit.limit == GRADIENT.probe
        now += 0.05
        limit.observe(now, Completion(0.05, 1.0))
    assert limit.state().baseline_s == 0.05
    assert limit.limit > before / 2


def mixed(
    limit: ConcurrencyLimit, seconds: float, now: float, sizes: Sequence[float], load: float = 1.0
) -> float:
    """Requests of several sizes in turn, 20 a second; each takes 2 ms a unit at an idle server, `load` times that."""
    ends, turns = now + seconds, cycle(sizes)
    while now < ends:
        size = next(turns)
        now += 0.05
        limit.observe(now, Completion(0.002 * load * size, min(limit.limit, 600.0), size))
    return now


def test_small_work_of_a_burst_does_not_keep_the_gradient_low_when_large_work_comes_back() -> None:
    limit = GradientLimit(GradientSettings(start=400.0, least=100.0))
    now = mixed(limit, 100.0, 0.0, (250.0, 20.0))
    before = limit.limit
    now = mixed(limit, 30.0, now, (60.0, 20.0, 20.0, 20.0), load=4.0)
    assert limit.limit < before / 2
    mixed(limit, 40.0, now, (250.0, 20.0))
    assert limit.limit > 0.75 * before


def test_an_idle_servers_new_speed_is_taken_for_sizes_that_the_measurement_has_not_seen() -> None:
    baselines = Baselines()
    assert baselines.learn([(10.0, 0.1), (100.0, 1.0), (100.0, 3.0)]) == pytest.approx((1.0 + 0.5 + 1.5) / 3)
    baselines.measured([(10.0, 0.2), (10.0, 0.3)])
    assert (baselines.of(10.0), baselines.of(100.0), baselines.of(1_000.0)) == (0.2, 4.0, None)
    baselines.measured([])
    assert baselines.of(10.0) == 0.2


def test_a_probe_without_answers_ends() -> None:
    limit = GradientLimit(GRADIENT)
    served(limit, 62.0, bears=400.0)
    limit.observe(200.0, Completion(0.1, 1.0))
    limit.observe(203.0, Completion(150.0, 1.0))
    assert limit.limit > GRADIENT.probe


@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        (AimdSettings, "least", 0.0), (AimdSettings, "start", 5.0), (AimdSettings, "most", 50.0),
        (AimdSettings, "bound_s", nan), (AimdSettings, "ratio", 1.5), (AimdSettings, "step", 0.0),
        (GradientSettings, "least", 0.0), (GradientSettings, "start", 5.0), (GradientSettings, "most", 50.0),
        (GradientSettings, "probe", 0.0), (GradientSettings, "tolerance", 0.5), (GradientSettings, "window", 0),
        (GradientSettings, "smoothing", 0.0), (GradientSettings, "probe_every_s", 0.0),
        (GradientSettings, "probe_answers", 0), (GradientSettings, "probe_most_s", nan), (FixedLimit, "limit", 0.0),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_work_is_refused_by_name(
    kind: Callable[..., object], setting: str, value: float
) -> None:
    with pytest.raises(ConfigError, match=setting):
        kind(**{setting: value})
