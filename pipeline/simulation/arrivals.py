"""When requests arrive: Poisson processes whose rate is steady, follows the day, or has bursts."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from typing_extensions import override

from schemas.errors import ConfigError


class Rate(Protocol):
    """Expected arrivals a second, as a function of the time."""

    @property
    def most(self) -> float:
        """The highest rate at any time."""
        ...

    def at(self, t: float) -> float:
        """Return the rate at `t` seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Steady(Rate):
    """The same rate at all times. ConfigError unless it is a finite number above 0, as of all rates here."""

    per_s: float

    def __post_init__(self) -> None:
        _check("rate", self.per_s)

    @property
    @override
    def most(self) -> float:
        """The rate."""
        return self.per_s

    @override
    def at(self, t: float) -> float:
        """Return the rate."""
        return self.per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Diurnal(Rate):
    """A sine around the mean: lowest at 0 s, highest half a period later; `swing` is its height over the mean."""

    per_s: float
    swing: float = 0.6
    period_s: float = 86_400.0

    def __post_init__(self) -> None:
        _check("rate", self.per_s)
        _check("period", self.period_s)
        if not 0 <= self.swing <= 1:
            raise ConfigError(f"the swing is {self.swing}: give a share of the rate from 0 to 1")

    @property
    @override
    def most(self) -> float:
        """The rate half a period after the beginning."""
        return self.per_s * (1 + self.swing)

    @override
    def at(self, t: float) -> float:
        """Return the rate at `t` seconds."""
        return self.per_s * (1 - self.swing * math.cos(2 * math.pi * t / self.period_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bursts(Rate):
    """A steady rate that is `factor` times as high for `length_s` seconds, first at `first_s`, then every `every_s`."""

    per_s: float
    factor: float = 3.0
    length_s: float = 10.0
    first_s: float = 60.0
    every_s: float = 300.0

    def __post_init__(self) -> None:
        for name in ("per_s", "factor", "length_s", "every_s"):
            _check(name.removesuffix("_s"), getattr(self, name))
        if self.length_s > self.every_s:
            raise ConfigError(
                f"bursts of {self.length_s} s cannot come every {self.every_s} s: give a longer interval"
            )

    @property
    @override
    def most(self) -> float:
        """The rate within a burst, or outside if that is higher."""
        return self.per_s * max(1.0, self.factor)

    @override
    def at(self, t: float) -> float:
        """Return the rate at `t` seconds."""
        since = t - self.first_s
        inside = since >= 0 and since % self.every_s < self.length_s
        return self.per_s * self.factor if inside else self.per_s


def times(rate: Rate, seconds: float, rng: random.Random) -> Iterator[float]:
    """Yield the times of arrival up to `seconds`: a Poisson process of this rate, by thinning one of its highest rate.

    Lewis and Shedler, "Simulation of nonhomogeneous Poisson processes by thinning" (1979).
    """
    _check("length of the simulation", seconds)
    most, steady, draw, log = rate.most, isinstance(rate, Steady), rng.random, math.log
    t = -log(1.0 - draw()) / most
    while t < seconds:
        if steady or draw() * most < rate.at(t):
            yield t
        t -= log(1.0 - draw()) / most


def _check(what: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ConfigError(f"the {what} is {value}: give a finite number above 0")
