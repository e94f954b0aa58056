"""Who does the two rounds over a catalog's splits: Spark (`batch/spark.py`), or this very process."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Protocol

from typing_extensions import override

from batch.catalog import Split
from batch.split_folder import Folder
from batch.survey import Place, look_at
from batch.worker import SplitWorker, Task


class Engine(Protocol):
    """Runs the survey and the work over splits; errors of ours that a worker gives up with are raised."""

    def repeated(self, splits: Sequence[Split], run: str) -> Iterator[tuple[str, Sequence[Place]]]:
        """Survey every split; the postings of more than one row, with their places in no order."""
        ...

    def work(self, splits: Sequence[Split], task: Task) -> None:
        """Do what is left of the splits."""
        ...


class InProcess(Engine):
    """One split after the other in this process, for a debugger, a notebook and the tests; all places in memory."""

    @override
    def repeated(self, splits: Sequence[Split], run: str) -> Iterator[tuple[str, Sequence[Place]]]:
        found: defaultdict[str, list[Place]] = defaultdict(list)
        for split in splits:
            for posting_id, place in look_at(split, Folder(run)):
                found[posting_id].append(place)
        return ((posting_id, places) for posting_id, places in found.items() if len(places) > 1)

    @override
    def work(self, splits: Sequence[Split], task: Task) -> None:
        with closing(SplitWorker(task)) as worker:
            for split in splits:
                for _ in worker.run(split):
                    pass


def dealt(splits: Iterable[Split], hands: int) -> list[list[Split]]:
    """One hand a task: never more than `hands` work at once, whatever a cluster has room for."""
    listed = list(splits)
    return [hand for start in range(hands) if (hand := listed[start::hands])]
