"""How long a server takes for a batch, read from the files that the benchmarks write (docs/benchmarks)."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTimes:
    """Seconds of a server's work: `batch_s` of a batch, more for its requests, items, computed tokens and pairs.

    A pair is a token and a token before it that it attends to: their number grows with the square of a prompt's length.
    The engine computes one batch at a time. Beside it one processor takes `request_s` to read a request and `answer_s`
    to answer it, as the event loop of our server does; `way_s` passes on the way, in which nothing waits for anything.
    ConfigError for a time that is not finite or below 0, and if no token takes any.
    """

    name: str
    token_s: float
    pair_s: float = 0.0
    item_s: float = 0.0
    job_s: float = 0.0
    batch_s: float = 0.0
    request_s: float = 0.0
    answer_s: float = 0.0
    way_s: float = 0.0
    spread: tuple[float, ...] = ()
    """Measured times of lone requests over what the formula says. A batch takes the mean of one draw for each of its
    jobs, because what disturbs one long computation is not what disturbs the next. Empty: no spread."""
    most_tokens: int = 0
    """Tokens of the largest batch that was measured: longer ones are extrapolated, and counted. 0: not known."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            numbers = value if one.name == "spread" else () if one.name == "name" else (value,)
            if not all(0 <= number < math.inf for number in numbers):
                raise ConfigError(f"{self.name}: {one.name} is {value}: give finite times of at least 0")
        if not self.token_s > 0:
            raise ConfigError(f"{self.name} has no measured throughput: give token_s, more than 0")

    def batch_seconds(
        self, jobs: int, items: int, tokens: float, rng: random.Random, pairs: float = 0.0
    ) -> float:
        """Return how long a batch of at least one job takes; drawn from the spread, if there is one."""
        mean = self.batch_s + jobs * self.job_s + items * self.item_s + tokens * self.token_s
        mean += pairs * self.pair_s
        if not self.spread:
            return mean
        count = len(self.spread)
        return mean * sum(self.spread[int(rng.random() * count)] for _ in range(jobs)) / jobs

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, as `service` in a file of the benchmark `simulator` holds them."""
        return asdict(self)


def read_services(path: Path) -> dict[str, ServiceTimes]:
    """Return the machines of a benchmark's file: of `engine`, `model-server` or `simulator`, by their names.

    ConfigError for another file, for none, and for one in which no throughput was measured.
    """
    if not path.is_file():
        raise ConfigError(f"there are no service times at {path}: give the file of a benchmark (--service)")
    try:
        found = json.loads(path.read_text())
        made = {one.name: one for one in _READERS[found["name"]](found)}
    except (ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise ConfigError(
            f"{path}: no service times can be read ({type(error).__name__}: {error}); give the file of a benchmark: "
            f"{', '.join(f'{name}.json' for name in _READERS)}"
        ) from None
    if not made:
        raise ConfigError(f"{path}: no throughput was measured in it")
    return made


def service(path: Path, machine: str = "") -> ServiceTimes:
    """Return the machine of this name, or the first one of a file; ConfigError for one that was not measured."""
    made = read_services(path)
    if machine and machine not in made:
        raise ConfigError(f"{machine!r} has no measured throughput in {path}; measured are {', '.join(made)}")
    return made[machine] if machine else next(iter(made.values()))


def _simulator(found: Mapping[str, Any]) -> Iterator[ServiceTimes]:
    given = dict(found["service"])
    yield ServiceTimes(**given | {"spread": tuple(given.get("spread", ()))})


def _model_server(found: Mapping[str, Any]) -> Iterator[ServiceTimes]:
    """One machine: the engine inside the server, and the server's own processor time, medians of the rounds."""
    asked, rounds = found["settings"], found["tables"]["Rounds"]
    tokens = asked["shared"] + asked["items"] * (asked["tokens"] - asked["shared"])
    yield ServiceTimes(
        name=f"model-server, {asked['threads']} threads",
        token_s=1 / (median(one["engine_inside_per_s"] for one in rounds) * tokens),
        request_s=median(one["server_ms"] for one in rounds) / 1000,
        spread=_spread([1 / one["engine_inside_per_s"] for one in rounds]),
    )


def _engine(found: Mapping[str, Any]) -> Iterator[ServiceTimes]:
    """A machine for each contender of each closed-loop case: `tiny-summary ours:float32`."""
    for name, case in found["cases"].items():
        if case["kind"] == "closed":
            load = case["load"]
            tokens = case["repeats"] * load["requests"] * (load["shared"] + sum(load["own"]))
            for contender, seconds in case["seconds"].items():
                middle = median(seconds)
                yield ServiceTimes(
                    name=f"{name} {contender}", token_s=middle / tokens, spread=_spread(seconds)
                )


def _spread(seconds: list[float]) -> tuple[float, ...]:
    middle = median(seconds)
    return tuple(sorted(one / middle for one in seconds)) if len(seconds) > 1 else ()


_READERS = {"engine": _engine, "model-server": _model_server, "simulator": _simulator}
