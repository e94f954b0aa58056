"""What waits of one traffic class, the nearest deadline first, with what of the class is in flight."""

from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from typing import Generic

from pipeline.control.policies import ClassPolicy
from pipeline.control.work import Payload, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassState:
    """Counts of one class: work offered so far by decision, and its units in flight and waiting now.

    `shed` counts work that was refused at once or while it waited; `taken` counts deferred work that was handed out.
    """

    admitted: int
    deferred: int
    taken: int
    shed: int
    withdrawn: int
    in_flight: float
    waiting: int


class WaitingLine(Generic[Payload]):
    """One traffic class: its policy, what waits by deadline, what is in flight, and counts."""

    __slots__ = (
        "active_at", "admitted", "bucket", "count", "deferred", "in_flight", "policy", "shed", "taken", "waiting",
        "waiting_cost", "withdrawn",
    )  # fmt: skip

    def __init__(self, policy: ClassPolicy) -> None:
        self.policy, self.bucket = policy, policy.bucket()
        self.waiting: list[tuple[float, int, Work[Payload]]] = []
        self.waiting_cost = self.in_flight = 0.0
        self.active_at = -inf
        self.admitted = self.deferred = self.taken = self.shed = self.withdrawn = self.count = 0

    def add(self, number: int, work: Work[Payload]) -> None:
        """Let work wait; of two with one deadline the one with the lower number is first."""
        heappush(self.waiting, (work.deadline, number, work))
        self.count += 1
        self.waiting_cost += work.cost

    def pop(self) -> Work[Payload]:
        """The first work that waits; the first of the heap is never withdrawn."""
        _, _, work = heappop(self.waiting)
        self._forget(work)
        self._skip()
        return work

    def withdraw(self, work: Work[Payload]) -> None:
        """Take work out that waits."""
        work.withdrawn = True
        self.withdrawn += 1
        self._forget(work)
        self._skip()

    def _forget(self, work: Work[Payload]) -> None:
        self.count -= 1
        # so that rounding of costs that are no whole numbers does not add up
        self.waiting_cost = self.waiting_cost - work.cost if self.count else 0.0

    def _skip(self) -> None:
        while self.waiting and self.waiting[0][2].withdrawn:
            heappop(self.waiting)

    def state(self) -> ClassState:
        """The counts now."""
        return ClassState(
            admitted=self.admitted,
            deferred=self.deferred,
            taken=self.taken,
            shed=self.shed,
            withdrawn=self.withdrawn,
            in_flight=self.in_flight,
            waiting=self.count,
        )
