"""The summary that a record receives, the generation of a model, and the ranker's item of a record."""

from dataclasses import fields, replace
from typing import Any

import pytest

from models.prompts import Item
from models.summarizer import Summary
from pipeline.fold import generation_of, with_summary
from pipeline.scoring.items import item_of
from schemas.merge import is_current, merge
from schemas.records import FeatureRecord
from tests.pipeline.builders import feature
from tests.support.filled import filled


@pytest.mark.parametrize(
    "waiting",
    [
        feature(
            summary_version=-1,
            summary_hash=b"",
            model="",
            generation=0,
            content_version=9,
            lifecycle_version=12,
            version=12,
        ),
        feature(input_hash=b"new", content_version=4, version=4, summary="old words", title="Nurse"),
    ],
)
def test_a_summary_arrives_as_the_merge_would_have_it(waiting: FeatureRecord) -> None:
    summary = Summary(text="words", tokens=3, input_tokens=9, model="summarizer@4")
    made = FeatureRecord(
        posting_id=waiting.posting_id,
        version=waiting.content_version,
        summary_version=waiting.content_version,
        summary_hash=waiting.input_hash,
        summary="words",
        summary_tokens=3,
        input_tokens=9,
        model="summarizer@4",
        generation=4,
    )
    assert with_summary(waiting, summary) == merge(waiting, made)
    assert is_current(with_summary(waiting, summary))


def test_a_summary_leaves_every_other_field_of_the_record_as_it_was_but_a_vector_of_another_summary() -> None:
    waiting = filled(FeatureRecord)
    summary = Summary(text="words", tokens=3, input_tokens=9, model="summarizer@4")
    assert with_summary(waiting, summary) == replace(
        waiting,
        summary="words",
        summary_version=waiting.content_version,
        summary_hash=waiting.input_hash,
        summary_tokens=3,
        input_tokens=9,
        model="summarizer@4",
        generation=4,
        vector=b"",
        vector_hash=b"",
        vector_model="",
        vector_generation=0,
    )


def test_the_rankers_item_has_every_field_of_its_own_from_the_record() -> None:
    record = filled(FeatureRecord)
    expected: dict[str, Any] = {each.name: getattr(record, each.name, None) for each in fields(Item)}
    assert item_of(record) == Item(**{**expected, "text": record.summary})


@pytest.mark.parametrize(
    ("model", "generation"),
    [("summarizer@7", 7), ("qwen3", 0), ("a@b", 0), ("x@2@12", 12), ("m@²", 0), ("", 0)],
)
def test_the_generation_stands_behind_the_last_at_sign(model: str, generation: int) -> None:
    assert generation_of(model) == generation
