"""Thresholds of the drift monitor: what a summarizer's summaries keep on postings that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from models.client.remote import open_ranker
from models.engine.checkpoint_engine import EngineConfig
from models.prompts import is_textless, load_tokenizer, summarizer_input
from models.ranker import Ranker
from models.server.in_process import InProcessRanker, InProcessSummarizer
from models.summarizer import Summarizer, Summary
from models.unknown import UnknownTokens
from pipeline.drift.measuring import Measured, Measurer, Subject
from pipeline.drift.thresholds import Thresholds, derive, write_thresholds
from training.evaluation.settings import RankerPlace
from training.judging.postings import PostingRow, read_postings
from training.judging.records import Split
from training.judging.splits import split
from training.rl.run import tokenizer_of

Tell = Callable[[int], None]
"""Called with the number of postings that were measured since the call before."""
MOST = 150
"""Postings of one file."""
BATCH = 16
DEADLINE_S = 120.0


def drift_thresholds(
    summarizer: Path,
    ranker: RankerPlace,
    postings: Sequence[Path],
    *,
    split_name: Split = "dev",
    most: int = MOST,
    tell: Tell = lambda _: None,
) -> Thresholds:
    """Measure held-out postings of each file, and write the thresholds into the summarizer's card.

    Each file is a group of its own: a stream of one file's postings raises no alarm. ConfigError for a file with too
    few postings with text in the split, and for a directory that cannot be served.
    """
    made = InProcessSummarizer(summarizer, EngineConfig(role="summarizer", device=ranker.device))
    judge = _ranker(ranker)
    unknown = UnknownTokens(load_tokenizer(tokenizer_of(ranker)))
    rows = {path.name.partition(".")[0]: _some(path, split_name, most) for path in postings}
    measurer = Measurer(judge, unknown, deadline_s=DEADLINE_S)
    groups = {name: _measured(some, made, measurer, tell) for name, some in rows.items()}
    found = derive(groups, split=split_name, ranker=judge.model)
    write_thresholds(summarizer, found)
    return found


def _ranker(place: RankerPlace) -> Ranker:
    if Path(place.name).is_dir():
        return InProcessRanker(Path(place.name), EngineConfig(role="ranker", device=place.device))
    return open_ranker(place.name, place.tokenizer)


def _some(path: Path, split_name: Split, most: int) -> list[PostingRow]:
    """At most `most` postings with text of a split, drawn by their place in the file."""
    rows = [row for row in split(list(read_postings(path))).postings[split_name] if _has_text(row)]
    return Random(f"drift {split_name}").sample(rows, min(len(rows), most))


def _has_text(row: PostingRow) -> bool:
    return not is_textless(summarizer_input("", row.item.text))


def _measured(
    rows: Sequence[PostingRow], summarizer: Summarizer, measurer: Measurer, tell: Tell
) -> list[Measured]:
    found: list[Measured] = []
    for start in range(0, len(rows), BATCH):
        some = rows[start : start + BATCH]
        texts = [summarizer_input(row.item.title, row.item.text) for row in some]
        answers = summarizer.summarize_many(texts, DEADLINE_S)
        found += [
            measurer.measure(_subject(row, answer))
            for row, answer in zip(some, answers, strict=True)
            if isinstance(answer, Summary)
        ]
        tell(len(some))
    return found


def _subject(row: PostingRow, made: Summary) -> Subject:
    return Subject(
        posting_id=row.posting_id,
        item=row.item,
        summary=made.text,
        text_tokens=made.input_tokens,
        summary_tokens=made.tokens,
    )
