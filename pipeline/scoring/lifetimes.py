"""How long a score is kept: a hard limit, an earlier expiry that spreads, and when a refresh begins before it."""

import math
import random
from dataclasses import dataclass
from typing import Annotated

from schemas.errors import ConfigError
from schemas.settings import Option

GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
"""Multiples of this, modulo 1, lie evenly in [0, 1) however many there are."""
LONGEST_DRAW = 40.0
"""-ln of the least number above 0 that a draw gives (2^-53) is 36.7: no draw begins a refresh earlier than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLifetimes:
    """Times in seconds.

    `ttl_s` is a hard limit: no answer is older. A score expires earlier, so that it can be refreshed while readers
    still get it: between (1 − `jitter`) × (`ttl_s` − `grace_s`) and `ttl_s` − `grace_s` after it was computed.
    `beta` scales how early a refresh begins before that (Vattani et al., VLDB 2015): 1 is their optimum.
    """

    ttl_s: Annotated[
        float,
        Option("Longest time that a score may be answered from the cache.", "--score-ttl-s"),
    ] = 900.0
    grace_s: Annotated[
        float,
        Option(
            "Last part of that time, in which readers still get the old score while it is computed anew: longer than a "
            "call of the ranker takes, so that nobody waits for a score that is asked for often.",
            "--score-grace-s",
        ),
    ] = 30.0
    jitter: Annotated[
        float,
        Option(
            "Share of its time by which a score expires sooner, evenly spread from 0 to this, so that scores computed "
            "together are not computed anew together; it never lengthens the time.",
            "--score-jitter",
        ),
    ] = 0.2
    rejected_s: Annotated[
        float,
        Option(
            "How long a posting that the ranker refused is not sent to it again for the same query; shorter than a "
            "score's time, because a refusal may be the server's fault.",
            "--score-rejected-s",
        ),
    ] = 120.0
    lease_s: Annotated[
        float,
        Option(
            "How long one caller alone computes a score while others wait, unless it renews its lease, which it does "
            "until its own deadline: after so long another one takes over from a process that died or stands still.",
            "--score-lease-s",
        ),
    ] = 30.0
    beta: float = 1.0

    @property
    def retry_s(self) -> float:
        """How long a refresh that failed rests: the grace leaves time for a few."""
        return min(self.lease_s, self.grace_s / 4)

    def __post_init__(self) -> None:
        for name in ("ttl_s", "lease_s", "beta"):
            self._require(name, getattr(self, name) > 0, "above 0")
        self._require("grace_s", 0 <= self.grace_s < self.ttl_s, f"from 0 to below ttl_s = {self.ttl_s:g}")
        self._require("jitter", 0 <= self.jitter < 1, "from 0 to below 1")
        self._require("rejected_s", 0 <= self.rejected_s <= self.ttl_s, f"from 0 to ttl_s = {self.ttl_s:g}")

    def _require(self, name: str, holds: bool, wanted: str) -> None:
        value = getattr(self, name)
        if not (holds and math.isfinite(value)):
            raise ConfigError(f"the score cache's {name} must be {wanted}, not {value:g}")


class Kept:
    """What is known of one key: a score, or the `reason` for which the ranker refused the item.

    Times are of the table's clock, in seconds. `cost_s`: how long the score took to compute. `rests_until_s`: no
    refresh begins before, because the last one failed.
    """

    __slots__ = ("cost_s", "dies_s", "expires_s", "kept_s", "reason", "rests_until_s", "score")

    def __init__(
        self,
        *,
        score: float,
        kept_s: float,
        expires_s: float,
        dies_s: float,
        cost_s: float,
        reason: str | None = None,
    ) -> None:
        self.score = score
        self.kept_s = kept_s
        self.expires_s = expires_s
        self.dies_s = dies_s
        self.cost_s = cost_s
        self.reason = reason
        self.rests_until_s = kept_s


class Lifetimes:
    """Decides expiry and early refresh by `ScoreLifetimes`; the same `rng` gives the same decisions."""

    def __init__(self, settings: ScoreLifetimes, rng: random.Random) -> None:
        self.settings = settings
        self._rng = rng
        self._place = rng.random()

    def score(self, now: float, score: float, cost_s: float) -> Kept:
        """Keep a score that was computed by `now` in `cost_s` seconds. ValueError for one that is not finite."""
        if not math.isfinite(score):
            raise ValueError(f"a score that is kept must be a finite number, not {score}")
        if not 0 <= cost_s < math.inf:
            raise ValueError(f"the time that a score took must be a finite number from 0, not {cost_s}")
        settings = self.settings
        self._place = (self._place + GOLDEN) % 1.0
        lifetime_s = (settings.ttl_s - settings.grace_s) * (1.0 - settings.jitter * self._place)
        return Kept(
            score=score,
            kept_s=now,
            expires_s=now + lifetime_s,
            dies_s=now + settings.ttl_s,
            cost_s=cost_s,
        )

    def rejection(self, now: float, reason: str) -> Kept:
        """Keep that the ranker refused the item."""
        end_s = now + self.settings.rejected_s
        return Kept(score=math.nan, kept_s=now, expires_s=end_s, dies_s=end_s, cost_s=0.0, reason=reason)

    def refreshes(self, now: float, kept: Kept) -> bool:
        """Whether this reader is to compute the score anew: always once it has expired, before that by chance.

        The chance grows towards the expiry and with the cost, so that a key that is read often is refreshed in time,
        and one that is read seldom hardly ever early (XFetch: now − cost · beta · ln(random) ≥ expiry).
        """
        left_s, scale_s = kept.expires_s - now, kept.cost_s * self.settings.beta
        if left_s > LONGEST_DRAW * scale_s:
            return False
        return left_s <= 0 or left_s <= -scale_s * math.log(1.0 - self._rng.random())
