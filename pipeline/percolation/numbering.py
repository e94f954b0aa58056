"""Numbers for values that several searches share: words, filters, and combinations of filters."""

from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V", bound=Hashable)


class Numbering(Generic[V]):
    """A number for each value in use; the number of a value that nobody uses any more is given to the next new one.

    So the numbers stay small, and arrays can be indexed by them. `first`: the least number given.
    """

    def __init__(self, first: int = 0) -> None:
        self._numbers: dict[V, int] = {}
        self._values: list[V | None] = [None] * first
        self._uses = [0] * first
        self._free: list[int] = []

    def __len__(self) -> int:
        """One more than the highest number given so far."""
        return len(self._values)

    def take(self, value: V) -> tuple[int, bool]:
        """The value's number, used once more, and whether the value is new."""
        number = self._numbers.get(value)
        if number is not None:
            self._uses[number] += 1
            return number, False
        return self._add(value), True

    def release(self, number: int) -> bool:
        """Use a number once less; True if nobody uses it any more."""
        self._uses[number] -= 1
        if self._uses[number]:
            return False
        value = self._values[number]
        if value is not None:
            del self._numbers[value]
        self._values[number] = None
        self._free.append(number)
        return True

    def get(self, value: V) -> int | None:
        """The value's number; None if it has none."""
        return self._numbers.get(value)

    def _add(self, value: V) -> int:
        if self._free:
            number = self._free.pop()
            self._values[number], self._uses[number] = value, 1
        else:
            number = len(self._values)
            self._values.append(value)
            self._uses.append(1)
        self._numbers[value] = number
        return number
