"""Work that asks for a server's time, and what becomes of it: admit, defer or shed."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Generic, NamedTuple, TypeVar

from schemas.traffic import TrafficClass

Payload = TypeVar("Payload")


class Decision(StrEnum):
    """What becomes of work that is offered."""

    ADMIT = "admit"
    DEFER = "defer"
    SHED = "shed"


class Verdict(NamedTuple):
    """A decision, with when to come again (seconds) and why, where it is not `admit`."""

    decision: Decision
    retry_after_s: float = 0.0
    reason: str = ""


ADMITTED = Verdict(Decision.ADMIT)


@dataclass(slots=True, eq=False)
class Work(Generic[Payload]):
    """One request. `cost`: its units of work, such as candidates. `deadline`: by when it has to be answered (inf: any).

    `charge`: tokens that it takes from its class's bucket, by default its cost. `asked_at`, `began_at` (-inf: not in
    flight) and `withdrawn` are set by `Admission`.
    """

    traffic: TrafficClass
    cost: float
    payload: Payload
    deadline: float = inf
    charge: float | None = None
    asked_at: float = -inf
    began_at: float = -inf
    withdrawn: bool = False

    @property
    def tokens(self) -> float:
        """What it takes from its class's bucket."""
        return self.cost if self.charge is None else self.charge
