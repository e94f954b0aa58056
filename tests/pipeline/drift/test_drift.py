"""The shipped models see a stream that turns to other trades or languages, and none in one that stays."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from models.engine.checkpoint_engine import EngineConfig
from models.prompts import load_tokenizer, summarizer_input
from models.server.in_process import InProcessRanker, InProcessSummarizer
from models.summarizer import Summary
from models.unknown import UnknownTokens
from nearline.cli.options import CHECKPOINTS
from pipeline.drift.measuring import Measured, Measurer, Subject
from pipeline.drift.thresholds import Thresholds, derive
from pipeline.drift.window import Window
from tests.pipeline.drift.invented import Row, crafts, foreign, known

WINDOW = 20


class Models:
    """The shipped summarizer and ranker in this process."""

    def __init__(self) -> None:
        self.summarizer = InProcessSummarizer(
            CHECKPOINTS / "summarizer-tiny", EngineConfig(role="summarizer", device="cpu")
        )
        ranker = InProcessRanker(CHECKPOINTS / "ranker-tiny", EngineConfig(role="ranker", device="cpu"))
        self.measurer = Measurer(ranker, UnknownTokens(load_tokenizer(CHECKPOINTS / "ranker-tiny")))

    def subjects(self, rows: Sequence[Row]) -> list[Subject]:
        texts = [summarizer_input(item.title, item.text) for _, item in rows]
        return [
            Subject(
                posting_id=key,
                item=item,
                summary=made.text,
                text_tokens=made.input_tokens,
                summary_tokens=made.tokens,
            )
            for (key, item), made in zip(rows, self.summarizer.summarize_many(texts, 60), strict=True)
            if isinstance(made, Summary)
        ]

    def measure(self, subjects: Sequence[Subject]) -> list[Measured]:
        return [self.measurer.measure(one) for one in subjects]


@pytest.fixture(scope="module")
def models() -> Models:
    return Models()


@pytest.fixture(scope="module")
def thresholds(models: Models) -> Thresholds:
    """Derived from postings of the health service."""
    return derive({"health": models.measure(models.subjects(known(30, 1)))}, window=WINDOW)


def exceeded(thresholds: Thresholds, found: Sequence[Measured]) -> tuple[str, ...]:
    window = Window(thresholds)
    assert len(found) == WINDOW
    for one in found:
        window.add(one)
    return window.exceeded()


def test_a_stream_that_stays_raises_no_alarm(models: Models, thresholds: Thresholds) -> None:
    assert exceeded(thresholds, models.measure(models.subjects(known(WINDOW, 2)))) == ()


@pytest.mark.parametrize("shifted", [crafts(WINDOW), foreign(WINDOW)], ids=["trade", "language"])
def test_a_stream_of_other_trades_or_languages_raises_the_alarm(
    models: Models, thresholds: Thresholds, shifted: list[Row]
) -> None:
    assert "unknown" in exceeded(thresholds, models.measure(models.subjects(shifted)))


def test_summaries_of_other_postings_raise_the_alarm(models: Models, thresholds: Thresholds) -> None:
    others = models.subjects(crafts(WINDOW))
    mixed = [
        replace(one, summary=other.summary)
        for one, other in zip(models.subjects(known(WINDOW, 2)), others, strict=True)
    ]
    assert "guarded" in exceeded(thresholds, models.measure(mixed))
