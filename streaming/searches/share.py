"""Which part of all saved searches a matcher holds, by a range of the hashes of their ids."""

from dataclasses import dataclass
from hashlib import blake2b

from schemas.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SearchShare:
    """Part `number` (from 0) of `of` equal ranges; the matchers of one part split the postings among themselves."""

    number: int = 0
    of: int = 1

    def holds(self, search_id: bytes) -> bool:
        """Whether the search with this id is in the part."""
        if self.of == 1:
            return True
        place = int.from_bytes(blake2b(search_id, digest_size=8).digest(), "big")
        return place * self.of >> 64 == self.number

    def group(self, name: str) -> str:
        """The consumer group of this part: each part reads all postings, so each commits offsets of its own."""
        return name if self.of == 1 else f"{name}-{self.number + 1}-of-{self.of}"


EVERY_SEARCH = SearchShare()


def read_share(text: str) -> SearchShare:
    """Read "2/4" as the second of four parts; raises ConfigError."""
    number, slash, of = text.partition("/")
    if not (slash and number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise ConfigError(f"--share must say which part of how many, such as 2/4, not {text!r}")
    return SearchShare(int(number) - 1, int(of))
