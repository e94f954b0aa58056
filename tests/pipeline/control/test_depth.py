"""The depth controller: bounds, slew, monotone response, recovery, no windup, bad input refused."""

from math import exp, inf, log, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.control.depth import DepthController, Depths, DepthSample, DepthSettings
from pipeline.control.stability import is_stable, pid_loop
from schemas.errors import ConfigError
from schemas.traffic import TrafficClass

SETTINGS = DepthSettings()
measures = st.none() | st.floats(0, 1e6)
samples = st.builds(DepthSample, measures, measures, measures)
steps = st.lists(st.tuples(st.floats(0, 10), samples), max_size=60)
IDLE, BUSY = DepthSample(utilisation=0.2), DepthSample(p95_s=3.0)


def after(controller: DepthController, seconds: float, sample: DepthSample, since: float = 0.0) -> float:
    now = since
    while now < since + seconds:
        now += SETTINGS.period_s
        controller.observe(now, sample)
    return now


@given(steps)
def test_the_depth_stays_within_its_bounds_and_its_slew(taken: list[tuple[float, DepthSample]]) -> None:
    controller, now, stepped_at = DepthController(SETTINGS, 300), 0.0, None
    for pause_s, sample in taken:
        before, steps_before, now = controller.depth, controller.state().steps, now + pause_s
        depth, state = controller.observe(now, sample), controller.state()
        assert SETTINGS.floor <= depth <= SETTINGS.most
        if state.steps == steps_before:
            assert depth == before
            stepped_at = now if stepped_at is None and state.pressure is not None else stepped_at
            continue
        assert stepped_at is not None
        longest_s = min(now - stepped_at, 4 * SETTINGS.period_s)
        assert depth >= before * exp(-SETTINGS.fall_per_s * longest_s) - 1
        assert depth <= before * exp(SETTINGS.rise_per_s * longest_s) + 1
        stepped_at = now


@given(steps, st.floats(0, 1e3), st.floats(0, 1e3))
def test_more_pressure_never_gives_more_depth(
    taken: list[tuple[float, DepthSample]], one: float, other: float
) -> None:
    calm, loaded, now = DepthController(SETTINGS, 300), DepthController(SETTINGS, 300), 0.0
    for pause_s, sample in taken:
        now += pause_s
        calm.observe(now, sample)
        loaded.observe(now, sample)
    low, high = sorted((one, other))
    assert loaded.observe(now + 1, DepthSample(p95_s=high)) <= calm.observe(now + 1, DepthSample(p95_s=low))


@given(steps)
def test_the_depth_is_back_within_a_minute_of_any_past(taken: list[tuple[float, DepthSample]]) -> None:
    controller, now = DepthController(SETTINGS), 0.0
    for pause_s, sample in taken:
        now += pause_s
        controller.observe(now, sample)
    after(controller, 60, IDLE, now)
    assert controller.depth == SETTINGS.most


def test_overload_takes_the_depth_to_its_floor_and_no_further() -> None:
    controller = DepthController(SETTINGS)
    after(controller, 60, BUSY)
    assert controller.depth == SETTINGS.floor


def test_a_long_overload_leaves_no_windup() -> None:
    short, long = DepthController(SETTINGS), DepthController(SETTINGS)
    ended = after(short, 60, BUSY)
    after(short, 5, IDLE, ended)
    ended = after(long, 3600, BUSY)
    after(long, 5, IDLE, ended)
    assert long.depth == short.depth > SETTINGS.floor


def test_the_start_is_bumpless() -> None:
    controller = DepthController(SETTINGS, 250)
    assert controller.observe(1e6, BUSY) == 250
    assert controller.observe(1e6 + SETTINGS.period_s, DepthSample(p95_s=SETTINGS.p95_s * 1.01)) >= 200


def test_it_settles_where_the_server_can_bear_the_load() -> None:
    """A server that is busy in proportion to depth: at 400 candidates fully, so that the aim of 90% is at 360."""
    controller, depths = DepthController(SETTINGS), []
    shown = [controller.depth] * SETTINGS.lag_periods
    for step in range(400):
        shown.append(controller.observe(step * SETTINGS.period_s, DepthSample(utilisation=shown[-2] / 400)))
        depths.append(shown[-1])
    assert all(abs(depth - 360) <= 4 for depth in depths[200:])


@pytest.mark.parametrize("bad", [nan, inf, -1.0])
@pytest.mark.parametrize("field", ["p95_s", "queue_delay_s", "utilisation"])
def test_a_measure_that_cannot_be_is_counted_and_changes_nothing(field: str, bad: float) -> None:
    controller, twin = DepthController(SETTINGS, 300), DepthController(SETTINGS, 300)
    for step in range(20):
        now = step * SETTINGS.period_s
        controller.observe(now, DepthSample(**{field: bad}))
        assert controller.observe(now, BUSY) == twin.observe(now, BUSY)
    assert (controller.state().ignored, twin.state().ignored) == (20, 0)


def test_a_sample_without_measures_is_counted() -> None:
    controller = DepthController(SETTINGS)
    controller.observe(0.0, DepthSample())
    assert controller.state().ignored == 1


@pytest.mark.parametrize("bad", [nan, inf, -inf, 3.0])
def test_a_clock_that_steps_back_is_counted_and_poisons_nothing(bad: float) -> None:
    controller = DepthController(SETTINGS, 300)
    controller.observe(10.0, BUSY)
    held = controller.observe(bad, BUSY)
    assert held == 300
    assert controller.state().steps_back == 1
    assert after(controller, 60, BUSY, 10.0) > 10
    assert controller.depth == SETTINGS.floor


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ki", 0.0), ("ki", nan), ("ki", 9.0), ("kp", -1.0), ("kp", 2.0), ("kd", 3.0), ("period_s", 0.0),
        ("period_s", 10.0), ("floor", 0), ("floor", 2000), ("p95_s", 0.0), ("queue_delay_s", nan),
        ("utilisation", -0.5), ("fall_per_s", 0.0), ("rise_per_s", inf), ("steepness", 20.0), ("lag_periods", 9),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_work_or_be_stable_is_refused_by_name(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=setting):
        DepthSettings(**{setting: value})  # type: ignore[arg-type]


def test_a_start_outside_the_bounds_is_refused() -> None:
    with pytest.raises(ConfigError, match="start"):
        DepthController(SETTINGS, 10)


@pytest.mark.parametrize("kp", [0.0, 0.1, 0.3, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("ki_s", [0.05, 0.2, 0.5, 1.0, 1.9, 2.5])
@pytest.mark.parametrize("lag", [1, 2, 4])
def test_a_loop_is_called_stable_exactly_if_its_response_dies_out(kp: float, ki_s: float, lag: int) -> None:
    a, b = kp + ki_s, -kp
    outputs = [0.0] * (lag + 1) + [1.0]
    for _ in range(4000):
        outputs.append(outputs[-1] - a * outputs[-lag] - b * outputs[-lag - 1])
        if abs(outputs[-1]) > 1e12:
            break
    dies = max(map(abs, outputs[-50:])) < 1e-3
    assert is_stable(pid_loop(kp, ki_s, 0.0, 1.0, lag)) == dies


def test_each_class_has_a_depth_of_its_own() -> None:
    depths = Depths({TrafficClass.ONLINE: SETTINGS, TrafficClass.NEARLINE: SETTINGS})
    for step in range(100):
        depths.observe(float(step), TrafficClass.ONLINE, BUSY)
        depths.observe(float(step), TrafficClass.NEARLINE, IDLE)
    assert depths.depth(TrafficClass.ONLINE) == SETTINGS.floor
    assert depths.depth(TrafficClass.NEARLINE) == SETTINGS.most
    assert depths.depth(TrafficClass.REFRESH) is None
    assert depths.observe(0.0, TrafficClass.REFRESH, BUSY) is None
    assert set(depths.states()) == {TrafficClass.ONLINE, TrafficClass.NEARLINE}


def test_the_slew_is_that_of_the_logarithm() -> None:
    controller = DepthController(SETTINGS)
    controller.observe(0.0, IDLE)
    controller.observe(SETTINGS.period_s, BUSY)
    assert log(SETTINGS.most / controller.depth) <= SETTINGS.fall_per_s * SETTINGS.period_s + 0.01
