"""The protocol of an engine, which works on a backfill's splits: Spark (`batch/spark.py`), or this process."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Protocol

from typing_extensions import override

from batch.catalog import Split
from batch.split_folder import Folder
from batch.survey import RowPlace, survey_split
from batch.worker import SplitWorker, Task
from schemas.events import EventFormat


class BackfillEngine(Protocol):
    """Does the two rounds over a catalog's splits, survey and work; raises the NearlineError that ends a worker."""

    def repeated(
        self, splits: Sequence[Split], run: str, how: EventFormat
    ) -> Iterator[tuple[str, Sequence[RowPlace]]]:
        """Survey every split; returns the postings with more than one row, each with its rows' places in any order."""
        ...

    def work(self, splits: Sequence[Split], task: Task) -> None:
        """Work on the splits, each from the row at which its saved progress ends."""
        ...


class InProcessEngine(BackfillEngine):
    """Works on one split after the other in this process, for debugging and tests; holds all places in memory."""

    @override
    def repeated(
        self, splits: Sequence[Split], run: str, how: EventFormat
    ) -> Iterator[tuple[str, Sequence[RowPlace]]]:
        """Survey all splits before returning; memory holds the places of all rows, repeated or not."""
        found: defaultdict[str, list[RowPlace]] = defaultdict(list)
        for split in splits:
            for posting_id, place in survey_split(split, Folder(run), how):
                found[posting_id].append(place)
        return ((posting_id, places) for posting_id, places in found.items() if len(places) > 1)

    @override
    def work(self, splits: Sequence[Split], task: Task) -> None:
        """Use one `SplitWorker` for all splits, so that store, summarizer and publisher are opened once."""
        with closing(SplitWorker(task)) as worker:
            for split in splits:
                for _ in worker.run(split):
                    pass


def in_groups(splits: Iterable[Split], groups: int) -> list[list[Split]]:
    """Divide splits into at most `groups` groups, one a task, so that no more tasks than that run at once."""
    listed = list(splits)
    return [group for start in range(groups) if (group := listed[start::groups])]
