"""The functions that Spark calls in its Python workers.

Spark pickles them by reference to this module, which must therefore never be `__main__`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from batch.catalog import Split
from batch.split_folder import Folder
from batch.survey import survey_split
from batch.worker import SplitWorker, Task
from schemas.collecting import SeldomCollector
from schemas.events import EventFormat

#: Rows of one batch that goes to Spark.
BATCH_ROWS = 10_000
PLACES = pa.schema(
    [
        ("id", pa.string()),
        ("split", pa.int32()),
        ("number", pa.int64()),
        ("instant_us", pa.int64()),
        ("line", pa.int64()),
    ]
)
PLACES_DDL = "id string, split int, number long, instant_us long, line long"
DONE_DDL = "split int, rows_done long"


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyFunction:
    """Function for `mapInArrow`: takes indexes of groups, gives the places of the rows of their splits."""

    groups: list[list[Split]]
    run: str
    how: EventFormat

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Survey one split after the other."""
        folder = Folder(self.run)
        for split in _splits(self.groups, batches):
            rows: list[tuple[str, int, int, int, int]] = []
            for posting_id, p in survey_split(split, folder, self.how):
                rows.append((posting_id, p.split, p.number, p.instant_us, p.line))
                if len(rows) == BATCH_ROWS:
                    yield _batch(rows)
                    rows.clear()
            yield _batch(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFunction:
    """Function for `mapInArrow`: takes indexes of groups, gives a row for each chunk that is done."""

    groups: list[list[Split]]
    task: Task

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Work on all splits of the groups with one worker."""
        worker = SplitWorker(self.task)
        collector = SeldomCollector()
        try:
            for split in _splits(self.groups, batches):
                for progress in worker.run(split):
                    collector.between_batches()
                    yield pa.RecordBatch.from_pydict(
                        {"split": [split.number], "rows_done": [progress.rows_done]},
                        schema=pa.schema([("split", pa.int32()), ("rows_done", pa.int64())]),
                    )
        finally:
            worker.close()


def _splits(groups: list[list[Split]], batches: Iterator[pa.RecordBatch]) -> Iterator[Split]:
    for batch in batches:
        for index in batch.column(0).to_pylist():
            yield from groups[index]


def _batch(rows: list[tuple[str, int, int, int, int]]) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [()] * len(PLACES)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, PLACES, strict=True)], schema=PLACES
    )
