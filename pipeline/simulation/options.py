"""A simulation's options: the traffic that is made up, the machines, and which of production's parts take part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from models.engine.scheduling.choosing import PolicyName
from models.server.config import ServeConfig
from pipeline.control.concurrency_limit import AimdLimit, AimdSettings, ConcurrencyLimit, FixedLimit
from pipeline.control.depth import DepthSettings
from pipeline.control.gradient_limit import GradientLimit, GradientSettings
from pipeline.control.policies import AdmissionSettings
from pipeline.scoring.lifetimes import ScoreLifetimes
from pipeline.simulation.arrivals import Bursts, Diurnal, Rate, Steady
from pipeline.simulation.content import Content, made_up
from pipeline.simulation.services import ServiceTimes, service
from pipeline.simulation.settings import SimulationSettings
from pipeline.simulation.traces import Request
from schemas.errors import ConfigError
from schemas.settings import Option, Options
from schemas.traffic import TrafficClass

BATCHING = ServeConfig().ranker_batching
MEASURED = Path(__file__).parents[2] / "docs" / "benchmarks" / "model-server.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficOptions:
    """When requests of which class arrive."""

    arrivals: Annotated[
        Literal["poisson", "diurnal", "bursty"],
        Option("How requests arrive: at one rate, at one that follows the day, or with bursts."),
    ] = "poisson"
    online_rate: Annotated[float, Option("Online requests a second, on average outside bursts; 0: none.")] = (
        10.0
    )
    nearline_rate: Annotated[float, Option("The same of nearline requests (alerts).")] = 10.0
    seconds: Annotated[float, Option("Length of the simulated time.")] = 900.0
    online_deadline_s: Annotated[float, Option("Seconds after which an online answer is late.")] = 0.5
    nearline_deadline_s: Annotated[float, Option("The same of a nearline answer.")] = 60.0
    swing: Annotated[float, Option("For diurnal: how far the rate goes up and down, as a share of it.")] = 0.6
    period_s: Annotated[float, Option("For diurnal: length of the day, which begins at its lowest rate.")] = (
        86_400.0
    )
    burst_of: Annotated[
        Literal["all", "online", "nearline"], Option("For bursty: whose rate has bursts.")
    ] = "all"
    burst_factor: Annotated[float, Option("For bursty: the rate within a burst over that outside.")] = 3.0
    burst_s: Annotated[float, Option("For bursty: length of a burst.")] = 10.0
    burst_first_s: Annotated[float, Option("For bursty: when the first one begins.")] = 60.0
    burst_every_s: Annotated[float, Option("For bursty: from the begin of one to that of the next.")] = 300.0
    content: Annotated[Content, Options("Made-up requests")] = field(default_factory=Content)

    def requests(self, seed: int) -> Iterator[Request]:
        """Yield the requests; ConfigError for settings that cannot be."""
        online, nearline = TrafficClass.ONLINE, TrafficClass.NEARLINE
        asked = {
            online: (self.online_rate, self.online_deadline_s),
            nearline: (self.nearline_rate, self.nearline_deadline_s),
        }
        streams = {one: (self._rate(one, rate), deadline) for one, (rate, deadline) in asked.items() if rate}
        if not streams:
            raise ConfigError("no request would arrive: give --online-rate or --nearline-rate, or a trace")
        return made_up(streams, self.content, self.seconds, seed)

    def sizes(self) -> Request:
        """Return lengths and deadline for lines of a trace that have none."""
        made, content = Request(0.0, TrafficClass.NEARLINE, "", range(0), 0, 0.0, 0.0), self.content
        return made._replace(
            prefix_tokens=content.prefix_tokens,
            item_tokens=float(content.item_tokens),
            deadline_s=self.nearline_deadline_s,
        )

    def _rate(self, traffic: TrafficClass, per_s: float) -> Rate:
        if self.arrivals == "diurnal":
            return Diurnal(per_s=per_s, swing=self.swing, period_s=self.period_s)
        if self.arrivals == "bursty" and self.burst_of in ("all", traffic.label):
            return Bursts(
                per_s=per_s,
                factor=self.burst_factor,
                length_s=self.burst_s,
                first_s=self.burst_first_s,
                every_s=self.burst_every_s,
            )
        return Steady(per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineOptions:
    """Servers, and how fast they are."""

    service: Annotated[
        Path,
        Option(
            "Where service times come from: the file of a benchmark (engine, model-server, simulator).",
            metavar="JSON",
        ),
    ] = MEASURED
    machine: Annotated[
        str,
        Option(
            "Which machine of that file, such as `pruned-summary ours:int8` of engine.json; default: the first."
        ),
    ] = ""
    servers: Annotated[int, Option("How many of them.", at_least=1)] = 1

    def times(self) -> list[ServiceTimes]:
        """Return each server's service times. ConfigError for a machine that was not measured."""
        return [service(self.service, self.machine)] * self.servers


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOptions:
    """Which of production's parts take part, and the settings that are tried."""

    cache: Annotated[bool, Option("Whether scores are cached.", "--cache/--no-cache")] = True
    lifetimes: Annotated[ScoreLifetimes, Options("Score cache")] = field(default_factory=ScoreLifetimes)
    entries: Annotated[int, Option("Scores that the cache keeps.", "--score-entries", at_least=1)] = 200_000
    page: Annotated[
        int,
        Option(
            "Candidates of a query that are looked up together: 1 is exact; the length of a page is faster, and as good "
            "where requests ask for whole pages.",
            at_least=1,
        ),
    ] = 1
    limit: Annotated[
        Literal["none", "fixed", "aimd", "gradient"],
        Option(
            "Limit of the candidates in flight at the servers: none admits everything; the last two learn it."
        ),
    ] = "none"
    limit_start: Annotated[int, Option("That limit, or where learning begins.", at_least=1)] = 100
    limit_bound_s: Annotated[float, Option("For aimd: an answer that takes longer lowers the limit.")] = 0.35
    nearline_per_s: Annotated[
        float | None,
        Option(
            "With a limit: nearline candidates that may begin in a second (token bucket); default: any number."
        ),
    ] = None
    depth: Annotated[
        bool,
        Option("Whether controllers decide how many candidates a request may score.", "--depth/--no-depth"),
    ] = False
    depth_floor: Annotated[int, Option("Fewest candidates that they may allow.", at_least=1)] = 50
    depth_most: Annotated[int, Option("Most candidates that they may allow.", at_least=1)] = 1000
    depth_p95_s: Annotated[float, Option("The p95 latency that they aim at.")] = 0.35
    depth_ki: Annotated[float, Option("Their integral gain; a setting that cannot be stable is refused.")] = (
        0.3
    )
    policy: Annotated[PolicyName, Option("Which waiting request a server takes next.")] = BATCHING.policy
    batch_tokens: Annotated[int, Option("Tokens of a server's batch.", at_least=1)] = BATCHING.batch_tokens
    step_s: Annotated[float, Option("Length of a step of the plots and series.")] = 1.0

    def settings(self) -> SimulationSettings:
        """Return the parts with their settings. ConfigError for one that cannot work."""
        return SimulationSettings(
            cache=self.lifetimes if self.cache else None,
            entries=self.entries,
            page=self.page,
            new_limit=self._limit(),
            admission=self._admission(),
            depths=self._depths(),
            batching=replace(BATCHING, batch_tokens=self.batch_tokens, policy=self.policy),
            step_s=self.step_s,
        )

    def _limit(self) -> Callable[[], ConcurrencyLimit] | None:
        start = float(self.limit_start)
        if self.limit == "none":
            return None
        if self.limit == "fixed":
            return partial(FixedLimit, start)
        if self.limit == "aimd":
            return partial(AimdLimit, AimdSettings(start=start, bound_s=self.limit_bound_s))
        return partial(GradientLimit, GradientSettings(start=start))

    def _admission(self) -> AdmissionSettings:
        defaults = AdmissionSettings()
        own = replace(defaults.policies[TrafficClass.NEARLINE], rate_per_s=self.nearline_per_s)
        own.bucket()  # refuses a rate that cannot be
        return replace(defaults, policies={**defaults.policies, TrafficClass.NEARLINE: own})

    def _depths(self) -> dict[TrafficClass, DepthSettings]:
        if not self.depth:
            return {}
        own = DepthSettings(
            floor=self.depth_floor, most=self.depth_most, p95_s=self.depth_p95_s, ki=self.depth_ki
        )
        return {TrafficClass.ONLINE: own, TrafficClass.NEARLINE: own}
