"""Orders of waiting requests, and of a prefix tree's nodes, that cost a logarithm to keep up.

An entry that counts no more stays in its heap until it comes to the front, or until most entries are such.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from math import log

from typing_extensions import override

from models.engine.scheduling.member import Member, Ranking, Request

STEP = 1.15
"""Sizes that differ by less than this factor are of one class."""
_PER_E = 1 / log(STEP)
SPARE = 64
"""Entries of which no one asks whether they count."""
_stamps = count()


def new_stamp() -> int:
    """Return a number that no other entry has, so that an entry is told from a later one of the same member."""
    return next(_stamps)


def size_class(size: float) -> int:
    """Return the number of the class of a size above 0."""
    return int(log(size) * _PER_E)


class Unranked(Ranking):
    """No order, for a policy that does not ask for one."""

    __slots__ = ()

    @override
    def came(self, request: Request) -> None:
        """Do nothing."""

    @override
    def put(self, member: Member) -> None:
        """Do nothing."""

    @override
    def gone(self, member: Member) -> None:
        """Do nothing."""

    @override
    def above(self) -> Ranking:
        """Return this very object, which holds nothing."""
        return self


class Arrivals(Unranked):
    """Requests by age, those below a node as well as its own; a split of an edge copies them."""

    __slots__ = ("_heap", "_sweep_at")

    def __init__(self) -> None:
        self._heap: list[tuple[int, Request]] = []
        self._sweep_at = SPARE

    @override
    def came(self, request: Request) -> None:
        """Take in a request, which counts until it is taken out of its tree."""
        heappush(self._heap, (request.order, request))
        if len(self._heap) > self._sweep_at:
            self._heap = [entry for entry in self._heap if entry[1].parent is not None]
            heapify(self._heap)
            self._sweep_at = 2 * len(self._heap) + SPARE

    @override
    def above(self) -> Arrivals:
        """Return a copy."""
        copied = Arrivals()
        copied._heap, copied._sweep_at = self._heap.copy(), self._sweep_at
        return copied

    def first(self) -> Request:
        """Return the oldest request; IndexError if none waits."""
        while self._heap[0][1].parent is None:
            heappop(self._heap)
        return self._heap[0][1]


class SizeClasses:
    """Members in classes of about the same size, each class by a time, the earliest first."""

    __slots__ = ("_classes", "_entries", "_sweep_at")

    def __init__(self) -> None:
        self._classes: dict[int, list[tuple[float, int, Member]]] = {}
        self._entries, self._sweep_at = 0, SPARE

    def put(self, member: Member, size: float, time: float) -> None:
        """Take in a member of a size above 0; an earlier entry of it counts no more."""
        member.stamp = stamp = new_stamp()
        heappush(self._classes.setdefault(size_class(size), []), (time, stamp, member))
        self._entries += 1
        if self._entries > self._sweep_at:
            self._sweep()

    def firsts(self) -> Iterator[Member]:
        """Yield the member with the earliest time of each class."""
        empty = []
        for number, heap in self._classes.items():
            while heap and heap[0][2].stamp != heap[0][1]:
                heappop(heap)
                self._entries -= 1
            if heap:
                yield heap[0][2]
            else:
                empty.append(number)
        for number in empty:
            del self._classes[number]

    def _sweep(self) -> None:
        self._entries = 0
        for number, heap in list(self._classes.items()):
            kept = [entry for entry in heap if entry[2].stamp == entry[1]]
            heapify(kept)
            self._classes[number] = kept
            self._entries += len(kept)
        self._sweep_at = 2 * self._entries + SPARE
