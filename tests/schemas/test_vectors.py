from dataclasses import replace

from schemas.merge import cleaned, merge
from schemas.records import NEVER, FeatureRecord, Op, Posting, PostingUpdate
from schemas.vectors import has_vector, with_vector, without_old_vector
from tests.schemas.histories import embedded, step, summarized


def event(version: int, title: str = "Nurse", salary: str | None = None) -> PostingUpdate:
    posting = Posting(title=title, description="nights", salary=salary)
    return PostingUpdate(posting_id="p", version=version, op=Op.UPDATE, posting=posting)


def record(update: PostingUpdate) -> FeatureRecord:
    made = summarized(step(None, update))
    assert has_vector(made)
    return made


def test_a_change_that_no_embedder_reads_keeps_the_vector() -> None:
    first = record(event(1))
    after = step(first, event(2, salary="12"))
    assert (after.content_version, after.vector) == (2, first.vector)


def test_a_new_title_drops_the_vector_also_where_the_new_record_has_none() -> None:
    after = step(record(event(1)), event(2, "Cook"))
    assert (after.vector, has_vector(after), after.vector_model) == (b"", False, "")


def test_the_vector_of_the_content_that_wins_wins() -> None:
    older, newer = record(event(1)), record(event(2, "Cook"))
    assert older.vector != newer.vector
    assert merge(older, newer).vector == merge(newer, older).vector == newer.vector


def test_of_two_vectors_of_the_same_texts_the_higher_generation_stays() -> None:
    first = record(event(1))
    second = embedded(replace(first, vector_hash=b""), "embedder@2")
    assert merge(first, second).vector_model == merge(second, first).vector_model == "embedder@2"


def test_a_posting_that_has_no_vector_is_not_asked_for_again() -> None:
    pending = replace(record(event(1)), vector=b"", vector_hash=b"", vector_model="", vector_generation=0)
    refused = with_vector(pending, b"", "embedder@1", 1)
    assert (has_vector(pending), has_vector(refused)) == (False, True)
    assert merge(pending, refused) == refused


def test_a_record_that_newer_rules_clean_loses_its_vector_only_with_its_texts() -> None:
    first = record(event(1))
    same = cleaned(replace(first, text_rules=0), first.input_hash, textless=False)
    styled = replace(first, title="\u200bNurse", text_rules=0)
    other = cleaned(with_vector(styled, b"12", "embedder@1", 1), first.input_hash, textless=False)
    assert (same.vector, other.title, other.vector) == (first.vector, "Nurse", b"")


def test_a_record_of_the_time_before_vectors_has_none_and_stays_as_it_is() -> None:
    before = FeatureRecord(posting_id="p", version=NEVER)
    assert without_old_vector(before) is before
    assert not has_vector(before)
