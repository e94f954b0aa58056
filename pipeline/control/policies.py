"""How each traffic class is treated when work asks to be admitted: settings, with what they refuse."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.control.buckets import TokenBucket
from pipeline.control.checks import need_at_least_0, need_positive, need_share
from schemas.errors import ConfigError
from schemas.traffic import TrafficClass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPolicy:
    """How one class is treated; ConfigError for settings that cannot work.

    `sheds`: whether work is refused that cannot meet its deadline. `own_share`: the share of the limit that the class
    may always use, also before higher classes, so that it never starves. `most_share`: up to which share of the limit
    all work in flight may come while a higher class is active and this class wants to begin; the rest is kept free for
    that higher class. `rate_per_s`, `burst`: a token bucket in units of work; `borrows`: whether work may begin without
    tokens while no higher class is active.
    """

    sheds: bool = False
    own_share: float = 0.0
    most_share: float = 1.0
    rate_per_s: float | None = None
    burst: float | None = None
    borrows: bool = True

    def __post_init__(self) -> None:
        need_at_least_0("admission", own_share=self.own_share)
        need_share("admission", most_share=self.most_share)
        if self.own_share > self.most_share:
            raise ConfigError(
                f"admission: own_share {self.own_share:g} is above most_share {self.most_share:g}: lower it"
            )

    def bucket(self) -> TokenBucket | None:
        """A full bucket, one second's worth unless `burst` says otherwise; None without a rate."""
        if self.rate_per_s is None:
            return None
        return TokenBucket(self.rate_per_s, self.rate_per_s if self.burst is None else self.burst)


def _policies() -> dict[TrafficClass, ClassPolicy]:
    return {
        TrafficClass.ONLINE: ClassPolicy(sheds=True),
        TrafficClass.NEARLINE: ClassPolicy(own_share=0.05, most_share=0.7),
        TrafficClass.REFRESH: ClassPolicy(sheds=True, most_share=0.5),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionSettings:
    """`policies` of every class. A class is active while it has work in flight or waiting, and for `quiet_s` after."""

    policies: Mapping[TrafficClass, ClassPolicy] = field(default_factory=_policies)
    quiet_s: float = 1.0

    def __post_init__(self) -> None:
        need_positive("admission", quiet_s=self.quiet_s)
        missing = [traffic.label for traffic in TrafficClass if traffic not in self.policies]
        if missing:
            raise ConfigError(f"admission: no policy for {', '.join(missing)}: give one for each class")
        if sum(policy.own_share for policy in self.policies.values()) > 1:
            raise ConfigError("admission: the own_share of all classes together is above 1: lower them")
