import json
import math
import random
from pathlib import Path

import pytest

from pipeline.simulation.options import MEASURED
from pipeline.simulation.services import ServiceTimes, read_services, service
from schemas.errors import ConfigError

ENGINE = MEASURED.with_name("engine.json")
RNG = random.Random(1)


def test_a_batch_takes_what_its_parts_take() -> None:
    times = ServiceTimes(name="x", token_s=0.001, item_s=0.01, job_s=0.1, batch_s=1.0)
    assert times.batch_seconds(2, 3, 4, RNG) == pytest.approx(1.0 + 0.2 + 0.03 + 0.004)


def test_a_spread_is_drawn_from() -> None:
    times = ServiceTimes(name="x", token_s=0.001, spread=(0.5, 1.5))
    assert {round(times.batch_seconds(1, 1, 1000, RNG), 6) for _ in range(50)} == {0.5, 1.5}


def test_the_model_servers_file_gives_its_machine() -> None:
    [times] = read_services(MEASURED).values()
    assert times.token_s == pytest.approx(3e-5, rel=0.5)
    assert times.request_s == pytest.approx(0.002, rel=0.5)
    assert len(times.spread) == 10


def test_the_engines_file_gives_a_machine_for_each_contender() -> None:
    found = read_services(ENGINE)
    rate = 10 / found["pruned-summary ours:int8"].batch_seconds(1, 10, 70 + 10 * 150, random.Random(1))
    assert {"tiny-summary ours:float32", "pruned-summary ours:int8"} <= found.keys()
    assert rate == pytest.approx(8.65, rel=0.3)


def test_a_machine_that_was_not_measured_is_refused_with_those_that_were() -> None:
    with pytest.raises(
        ConfigError, match=r"'h100' has no measured throughput in .*engine.json; measured are pruned-summ"
    ):
        service(ENGINE, "h100")


def test_times_of_another_benchmark_are_refused() -> None:
    with pytest.raises(ConfigError, match="give the file of a benchmark: engine"):
        read_services(MEASURED.with_name("stores.json"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no service times at .*none.json: give the file"):
        read_services(tmp_path / "none.json")


@pytest.mark.parametrize("seconds", [math.nan, -1.0, math.inf])
@pytest.mark.parametrize("name", ["token_s", "batch_s", "way_s"])
def test_a_time_that_cannot_be_is_refused_by_name(name: str, seconds: float) -> None:
    with pytest.raises(ConfigError, match=f"x: {name} is "):
        ServiceTimes(**{"name": "x", "token_s": 1e-5, name: seconds})  # type: ignore[arg-type]


def test_a_spread_with_nan_is_refused() -> None:
    with pytest.raises(ConfigError, match="spread"):
        ServiceTimes(name="x", token_s=1e-5, spread=(1.0, math.nan))


def test_a_machine_without_a_throughput_is_refused() -> None:
    with pytest.raises(ConfigError, match="x has no measured throughput"):
        ServiceTimes(name="x", token_s=0.0)


def test_a_fitted_machine_reads_back(tmp_path: Path) -> None:
    times = ServiceTimes(name="x", token_s=1e-5, spread=(0.5, 1.5), most_tokens=100)
    path = tmp_path / "simulator.json"
    path.write_text(json.dumps({"name": "simulator", "service": times.as_dict()}))
    assert service(path) == times
