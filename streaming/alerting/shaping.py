"""What the alert consumer does under overload: calls that stay short, a rate, and a depth once requests are late."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Annotated

from pipeline.control.admission import Admission
from pipeline.control.concurrency_limit import AimdLimit, AimdSettings
from pipeline.control.depth import DepthController, DepthSample, DepthSettings, DepthState
from pipeline.control.gate import Gate
from pipeline.control.policies import AdmissionSettings, ClassPolicy
from pipeline.control.recent import RecentLatencies
from schemas.errors import ConfigError
from schemas.settings import Option
from schemas.traffic import TrafficClass
from streaming.kafka.topics import SCORE_REQUESTS

#: Most candidates of one call, and the depth while requests are not late: more than any request has.
MOST = 1000
#: Over which time the age of requests is looked at.
AGES_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapingSettings:
    """Bounds of the consumer's load on the ranker; ConfigError for settings that cannot work."""

    late_s: Annotated[
        float,
        Option(
            "Age of score requests from which they are cut: only the candidates whose words fit best are scored, so few "
            "that requests do not get older. Alerts of the others are not sent. 0: never cut."
        ),
    ] = 21_600.0
    least_depth: Annotated[
        int, Option("Candidates of a request that are scored however late it is.", at_least=1, at_most=MOST)
    ] = 10
    call_s: Annotated[
        float,
        Option(
            "A call of the ranker that takes longer lowers how many candidates one call may hold. Callers that wait for "
            "an answer of the same server wait at most so long behind it."
        ),
    ] = 3.0
    candidates_per_s: Annotated[
        float,
        Option(
            "Candidates that this instance sends to the ranker in a second, on average; beyond it the requests wait in "
            "their topic. 0: any number."
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        kept_s = SCORE_REQUESTS.retention_ms / 1000
        if not 0 <= self.late_s < kept_s:
            raise ConfigError(
                f"late_s must be at least 0 and below {kept_s:g}, the retention of {SCORE_REQUESTS.name}, not "
                f"{self.late_s:g}: older requests are lost unread"
            )
        if not (isfinite(self.call_s) and self.call_s > 0):
            raise ConfigError(f"call_s must be above 0, not {self.call_s:g}")
        if not (isfinite(self.candidates_per_s) and self.candidates_per_s >= 0):
            raise ConfigError(f"candidates_per_s must be at least 0, not {self.candidates_per_s:g}")
        if not 1 <= self.least_depth <= MOST:
            raise ConfigError(f"least_depth must be 1 to {MOST}, not {self.least_depth}")

    def gate(self) -> Gate:
        """The admission of this process's calls. Their number in flight is learned from how long they take."""
        rate = self.candidates_per_s or None
        # without borrowing: this process does not see the gaps of a server that others use too
        nearline = ClassPolicy(rate_per_s=rate, burst=rate and max(rate, 1.0), borrows=False)
        defaults = AdmissionSettings()
        policies = {**defaults.policies, TrafficClass.NEARLINE: nearline}
        learned = AimdSettings(start=MOST, least=4, most=MOST, bound_s=self.call_s, ratio=0.7, step=2.0)
        return Gate(Admission(AimdLimit(learned), replace(defaults, policies=policies)))

    def lateness(self) -> "Lateness":
        """The depth of requests by their age."""
        return Lateness(self.late_s, self.least_depth)


class Lateness:
    """How many candidates of a request are scored, by how old the requests of the last minute were."""

    def __init__(self, late_s: float, least_depth: int = 1) -> None:
        self._ages = RecentLatencies(AGES_S)
        self._controller: DepthController | None = None
        if late_s:
            aims = DepthSettings(
                floor=least_depth, most=MOST, p95_s=late_s, queue_delay_s=late_s, period_s=1.0, ki=0.15
            )
            self._controller = DepthController(aims)

    @property
    def depth(self) -> int | None:
        """The depth; None while every candidate is scored."""
        depth = MOST if self._controller is None else self._controller.depth
        return depth if depth < MOST else None

    def observe(self, now: float, ages_s: Sequence[float]) -> None:
        """Take into account how old requests were when they were settled; without one, that none waits."""
        if self._controller is None:
            return
        for age_s in ages_s:
            self._ages.observe(now, age_s)
        oldest_s = max(ages_s, default=0.0)
        self._controller.observe(now, DepthSample(self._ages.percentile(now), oldest_s))

    def state(self) -> DepthState | None:
        """The controller's state; None when requests are never cut."""
        return None if self._controller is None else self._controller.state()
