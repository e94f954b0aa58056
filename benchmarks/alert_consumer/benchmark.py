"""`python -m benchmarks consumer`: candidates a second of the alert consumer on one core, with every score cached."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.alert_consumer.process import through_kafka
from benchmarks.alert_consumer.requests import Load, Prepared, prepare
from benchmarks.alert_consumer.step import Speed, alone, inside
from benchmarks.common import plots
from benchmarks.common.broker import BUILD, running_broker
from benchmarks.common.figures import spread
from benchmarks.common.report import FOLDER, Result, Row, measured_on, say, write

NAME = "consumer"
GOAL = 20_000
PLOT = "consumer.png"
HOME = BUILD / "bench-consumer"
ALONE, PROCESS = "step alone", "process on Kafka"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerBenchmark:
    """How much of what. `searches_a_posting`: how many searches meet each posting, one measurement each."""

    candidates: int = 200_000
    searches_a_posting: tuple[int, ...] = (1, 10)
    items: int = 20
    repetitions: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run."""

    way: str
    searches_a_posting: int
    speed: Speed


def measure(settings: ConsumerBenchmark, folder: Path = FOLDER) -> Result:
    """Both ways, written into `folder`."""
    where = measured_on()
    found: list[Measured] = []
    shares: dict[int, dict[str, float]] = {}
    with running_broker() as broker:
        for searches in settings.searches_a_posting:
            shutil.rmtree(HOME, ignore_errors=True)
            load = Load(candidates=settings.candidates, searches_a_posting=searches, items=settings.items)
            prepared = prepare(load, HOME / "prepared")
            for _ in range(settings.repetitions):
                found.append(Measured(way=ALONE, searches_a_posting=searches, speed=alone(_copy(prepared))))
                speed = through_kafka(_copy(prepared), broker, HOME)
                found.append(Measured(way=PROCESS, searches_a_posting=searches, speed=speed))
                say(
                    f"{searches} searches a posting: {[f'{m.speed.by_clock:,.0f}/s {m.way}' for m in found[-2:]]}"
                )
            shares[searches] = inside(_copy(prepared))
    shutil.rmtree(HOME)
    bars = {
        f"{searches} searches a posting": {
            way: spread([m.speed.by_clock for m in _of(found, searches, way)]) for way in (ALONE, PROCESS)
        }
        for searches in settings.searches_a_posting
    }
    plots.bars(folder / PLOT, "Alert consumer, all scores cached", "candidates/s on one core, median", bars)
    result = Result(
        name=NAME,
        title="The alert consumer with every score cached",
        settings=asdict(settings),
        tables={"Candidates a second": _speeds(found), "Where the step's time goes": _stages(shares)},
        findings=_findings(_speeds(found)),
        plots=[PLOT],
        detail={"runs": [asdict(one) for one in found]},
    )
    write(result, folder, where)
    return result


def _copy(prepared: Prepared) -> Prepared:
    """The same with stores of its own, in which nothing has alerted yet."""
    fresh = HOME / "run"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(HOME / "prepared", fresh)
    old, new = str(HOME / "prepared"), str(fresh)
    return replace(
        prepared,
        store_url=prepared.store_url.replace(old, new),
        cache_url=prepared.cache_url.replace(old, new),
    )


def _of(found: Sequence[Measured], searches: int, way: str) -> list[Measured]:
    return [one for one in found if (one.searches_a_posting, one.way) == (searches, way)]


def _speeds(found: Sequence[Measured]) -> list[Row]:
    rows: list[Row] = []
    for searches, way in dict.fromkeys((one.searches_a_posting, one.way) for one in found):
        mine = _of(found, searches, way)
        rows.append(
            {
                "what": way,
                "searches a posting": searches,
                "runs": len(mine),
                **spread([one.speed.by_clock for one in mine]),
                "by processor time": spread([one.speed.by_processor for one in mine])["median"],
            }
        )
    return rows


def _stages(shares: dict[int, dict[str, float]]) -> list[Row]:
    names = dict.fromkeys(stage for by_stage in shares.values() for stage in by_stage)
    return [
        {
            "stage": name,
            **{
                f"{searches} searches a posting": by_stage.get(name, 0.0)
                for searches, by_stage in shares.items()
            },
        }
        for name in names
    ]


def _findings(rows: Sequence[Row]) -> list[str]:
    return [
        f"{row['what']}, {row['searches a posting']} searches a posting: {row['median']:,.0f} candidates/s "
        f"({float(str(row['median'])) / GOAL:.2f} × the goal of {GOAL:,})."
        for row in rows
    ]
