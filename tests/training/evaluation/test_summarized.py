"""Evaluation and calibration can read postings as alerts do: with the shipped summarizer's summaries."""

from pathlib import Path

from models.prompts import Item
from nearline.cli.options import CHECKPOINTS
from training.evaluation.summarized import summarized
from training.judging.records import JudgedQuery

TEXT = "We are a small clinic. " * 20 + "You need a driving licence. Night shifts are part of the work."


def test_only_judged_postings_are_summarized_and_their_other_fields_stay(tmp_path: Path) -> None:
    item = Item(
        title="Nurse", company="Clinic", location="Leeds", employment_type=None, remote=None, text=TEXT
    )
    query = JudgedQuery(
        query_id="q",
        query="nurse",
        split="dev",
        strata=(),
        posting_ids=("a",),
        labels=(4,),
        soft_labels=(1.0,),
    )
    made = summarized(
        {"a": item, "b": item}, [query, query], CHECKPOINTS / "summarizer-tiny", folder=tmp_path
    )
    assert set(made) == {"a"}
    assert 0 < len(made["a"].text) < len(TEXT) / 2
    assert (made["a"].title, made["a"].company, made["a"].location) == ("Nurse", "Clinic", "Leeds")
