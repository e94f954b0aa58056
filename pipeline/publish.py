"""Sending the store's current records to whoever watches features, whatever carries them there."""

from collections.abc import Callable, Mapping
from typing import Protocol


class Publisher(Protocol):
    """A way out for feature records; sending one again does no harm, since the newest wins everywhere."""

    def publish_many(self, records: Mapping[str, bytes]) -> dict[str, str]:
        """Send encoded records by posting id; all are acknowledged when it returns.

        Those that can never be sent are in the answer, with the reason. Raises BrokersUnavailable or
        RegistryUnavailable; then all may be sent again.
        """
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


#: Opens one in the process that uses it; travels to workers, so it must be picklable.
OpenPublisher = Callable[[], Publisher]
