"""Versions of events: their time, made unique within a posting without regard to the present."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class _Ties:
    """Versions of events that came to a taken instant, by instant and event; `after` leads on from a taken version."""

    versions: dict[tuple[int, int], int] = field(default_factory=dict)
    after: dict[int, int] = field(default_factory=dict)


class Versioner:
    """Gives each event its version: its time, or the posting's next free microsecond if another event has that time.

    An event that comes after younger ones keeps its older version, since `merge` puts events in order. A line equal
    to an earlier one, byte for byte, is the same event and gets the same version: a duplicate must not begin an
    episode. The time of a call hardly grows with the events of one instant.
    """

    def __init__(self) -> None:
        self._used: dict[str, dict[int, int]] = {}
        self._ties: dict[str, _Ties] = {}

    def version(self, posting_id: str, instant_us: int, line: bytes) -> int:
        """The version of the next event of a posting, in the order of the file."""
        used, seen = self._used.setdefault(posting_id, {}), hash(line)
        if used.setdefault(instant_us, seen) == seen:
            return instant_us
        ties = self._ties.setdefault(posting_id, _Ties())
        found = ties.versions.get((instant_us, seen))
        if found is None:
            found = ties.versions[instant_us, seen] = _next_free(used, ties.after, instant_us)
            used[found] = seen
        return found


def _next_free(used: dict[int, int], after: dict[int, int], taken: int) -> int:
    """The first version behind `taken` that is not used; the versions passed remember it (path compression)."""
    passed, at = [], taken
    while at in used:
        passed.append(at)
        at = after.get(at, at + 1)
    after.update(dict.fromkeys(passed, at))
    return at
