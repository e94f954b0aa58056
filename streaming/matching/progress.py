"""What the matcher knows of its partitions: how far each is read, and which searches its stored postings have met."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from streaming.kafka.topic_watch import TopicIds, differs
from streaming.matching.log import PartitionProgress
from streaming.searches.table import Offsets, Subscription, came_since

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """The progress of every assigned partition; `dirty` while there is some that was not committed.

    What a partition has met is void once a topic that it speaks of was created anew or lost its end: then every search
    meets the stored postings again, and the ledger suppresses the pairs that have alerted.
    """

    partitions: dict[int, PartitionProgress] = field(default_factory=dict)
    dirty: bool = False
    _ids: TopicIds = field(default_factory=dict)

    def assign(self, assignment: Mapping[int, PartitionProgress], positions: Offsets) -> None:
        """Go on from what was committed; `positions`: how far the topic `searches` is read."""
        self.partitions = {p: self._known(progress, positions) for p, progress in assignment.items()}

    def notice(self, ids: TopicIds, positions: Offsets) -> bool:
        """Take the topics' newest ids; true once one of them was created anew: requests that it held are lost."""
        if ids == self._ids:
            return False
        self._ids = dict(ids)
        known = [progress.topics for progress in self.partitions.values()]
        anew = any(differs(topics.get(name, ""), ids[name]) for topics in known for name in ids)
        if anew:
            log.warning("a topic was created anew: matching every search with the stored postings again")
        self.assign(self.partitions, positions)
        return anew

    def has_lost_its_end(self, partition: int, offset: int) -> bool:
        """Whether a message at `offset` shows that the partition's end was lost; it is then read from there."""
        if offset >= self.partitions[partition].offset:
            return False
        log.warning("partition %d has lost its end: matching all again", partition)
        self.partitions[partition] = replace(self.partitions[partition], offset=0)
        return True

    def read(self, partition: int, offset: int) -> None:
        """Note that the message at `offset` is worked on."""
        self.partitions[partition] = replace(self.partitions[partition], offset=offset + 1)
        self.dirty = True

    def set_searches_matched(self, until: Offsets) -> None:
        """Note that the stored postings have met the searches up to these offsets; {}: they have met none."""
        self.partitions = {
            p: replace(progress, searches_matched=dict(until)) for p, progress in self.partitions.items()
        }
        self.dirty = True

    def behind(self, positions: Offsets) -> Iterator[Offsets]:
        """What each partition has met, of those that have not met all searches."""
        return (
            p.searches_matched
            for p in self.partitions.values()
            if dict(p.searches_matched) != dict(positions)
        )

    def is_new_to(self, subscription: Subscription, partition: int) -> bool:
        """Whether the partition is assigned here and its postings have not met the search."""
        progress = self.partitions.get(partition)
        return progress is not None and came_since(subscription, progress.searches_matched)

    def _known(self, progress: PartitionProgress, positions: Offsets) -> PartitionProgress:
        """The progress, without what it says of topics that are gone.

        An offset of `searches` behind that topic's end is of a former creation of it, or of data that were lost.
        """
        matched = progress.searches_matched
        renewed = any(differs(progress.topics.get(name, ""), now) for name, now in self._ids.items())
        if renewed or any(offset > positions.get(p, 0) for p, offset in matched.items()):
            matched = {}
        return replace(progress, searches_matched=matched, topics={**progress.topics, **self._ids})
