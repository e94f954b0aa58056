"""The protocol by which a backfill publishes feature records; it hides Kafka from `pipeline` and `batch`."""

from collections.abc import Callable, Mapping
from typing import Protocol


class Publisher(Protocol):
    """Publishes feature records. A record may be published twice: readers keep the newest."""

    def publish_many(self, records: Mapping[str, bytes]) -> dict[str, str]:
        """Send encoded records by posting id; when it returns, every record was acknowledged or is in the result.

        Returns the ids of records that can never be sent, with the reason. Raises BrokersUnavailable or
        RegistryUnavailable; then all may be sent again.
        """
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


#: Opens a publisher in the process that uses it. It is sent to workers, so it must be picklable.
OpenPublisher = Callable[[], Publisher]
