"""Queries in free wordings: graded part by part by vectors, cut out of texts, never by a negated wording."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from zlib import crc32

import numpy as np
import pytest
from torch import Tensor
from typing_extensions import override

from models.prompts import Item, load_tokenizer
from training.components.arrays import Singles
from training.components.machine import Machine
from training.rules.lexicon.entries import lexicon
from training.rules.wordings import negates
from training.tiny.encoding import Encoder
from training.tiny.ranker import likeness
from training.tiny.ranker.clause_index import ClauseIndex, WordingBank, clause_texts
from training.tiny.ranker.clauses import FEWEST_WORDS, MOST_WORDS, clauses
from training.tiny.ranker.domain_pool import barred
from training.tiny.ranker.examples import CANDIDATES
from training.tiny.ranker.excerpts import excerpt, plain_title
from training.tiny.ranker.marked_postings import StatedSpans, marked_postings
from training.tiny.ranker.real_pool import MarkedPosting, RealPool
from training.tiny.ranker.run import ONE
from training.tiny.ranker.sentence_queries import FreeWordings, SentenceAsker
from training.tiny.ranker.text_vectors import TextVectors
from training.tiny.ranker.views import SERVED

TOKENIZER = load_tokenizer(Path("models/checkpoints/ranker-tiny"))
TITLES = ("Plumber", "Cook", "Teacher", "Truck driver")
SAID = (
    "You will repair boilers and pipes in homes.",
    "Our kitchen serves lunch to schools every day.",
    "Lessons are planned together with colleagues.",
    "Deliveries go to shops across the region.",
    "A car is provided, and tools are paid for.",
)


def encode(texts: Sequence[str]) -> Singles:
    """Bags of words as vectors of length 1: what shares words is near."""
    found = np.zeros((len(texts), 384), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().replace(".", "").replace(",", "").split():
            found[row, crc32(word.encode()) % 384] += 1
    unit: Singles = found / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-6)
    return unit


def postings(count: int = 60) -> list[MarkedPosting]:
    items = [
        Item(
            title=TITLES[n % 4],
            company=None,
            location=None,
            employment_type=None,
            remote=None,
            text=f"{SAID[n % 4]} {SAID[4] if n % 3 else ''} Shift number {n} is free.",
        )
        for n in range(count)
    ]
    marks = [StatedSpans(spans=(), known=frozenset(), occupation="", place=None)] * count
    return marked_postings(Encoder(TOKENIZER), TOKENIZER, items, marks)


def asker(folder: Path, seed: int = 1) -> SentenceAsker:
    vectors = TextVectors(folder, ONE, encode, lambda _: None)
    titles = ("Pipe plumber", "School cook", "Truck driver")
    free = FreeWordings(
        titles=WordingBank(texts=titles, vectors=encode(titles)),
        skills=WordingBank(texts=("repair boilers",), vectors=encode(["repair boilers"])),
        rules={},
        barred=frozenset({"pipe plumber"}),
        occupation_label=lambda *_: None,
    )
    index = ClauseIndex("test", postings(), vectors, 1000)
    return SentenceAsker(Random(seed), Encoder(TOKENIZER), index, free, encode)


def test_clauses_are_sentences_list_items_and_parts_of_long_sentences() -> None:
    text = "We bake bread. Nights only;\n• Van licence needed\n" + "word " * 40 + "x"
    said = [text[a:b] for a, b in clauses(text)]
    assert said[:3] == ["We bake bread.", "Nights only;", "Van licence needed"]
    assert all(FEWEST_WORDS <= len(one.split()) <= MOST_WORDS for one in said)
    assert sum(len(one.split()) for one in said[3:]) == 41


def test_clauses_stand_where_their_tokens_stand() -> None:
    (one, *_) = postings(1)
    for begin, end, start, stop in one.clauses.tolist():
        shown = TOKENIZER.decode(one.ids[begin:end].tolist()).replace(" ", "")
        assert shown == one.text[start:stop].lower().replace(" ", "")
    assert clause_texts(one)[0] == SAID[0]


def test_an_excerpt_begins_and_ends_with_a_word_that_says_something() -> None:
    rng = Random(0)
    found = {excerpt(rng, "Experience of the repair of boilers and pipes") for _ in range(60)}
    assert "repair boilers" in found
    assert not any(one and one.split()[0] in ("of", "the", "and") for one in found)
    assert not any(excerpt(rng, "no weekends") for _ in range(20))
    assert negates("Weekends are not worked")
    assert plain_title("Staff Nurse - Ward 7 (Band 5)") == "Staff Nurse"


def test_a_label_falls_with_the_occupation_and_with_each_requirement_that_is_missing() -> None:
    assert likeness.label(0.9, []) == 0.9
    labels = [likeness.label(0.97, met) for met in ([1.0, 1.0], [1.0, 0.0], [0.0, 0.0])]
    assert labels == pytest.approx([0.97, 0.40, 0.12])
    assert likeness.label(0.03, [1.0]) == pytest.approx(0.03)
    assert np.all(np.diff(likeness.title_labels(np.linspace(-1, 1, 50, dtype=np.float32))) >= 0)


def test_a_query_is_met_best_by_the_posting_that_it_was_drawn_from(tmp_path: Path) -> None:
    ask = asker(tmp_path)
    met, missed = [], []
    for _ in range(60):
        asked = ask()
        assert len(asked.candidates) == len(asked.extra) == CANDIDATES
        tags = [{m.tag for m in mentions} for mentions in asked.extra]
        labels = [asked.target(c, t) for c, t in zip(asked.candidates, tags, strict=True)]
        assert all(0 < label < 1 for label in labels)
        met.append(labels[0])
        missed.append(min(labels))
        assert asked.target(asked.candidates[0], set()) <= labels[0] + 1e-9
    assert np.mean(met) > 0.6
    assert np.mean(missed) < 0.2


def test_a_wording_of_the_test_split_is_not_asked(tmp_path: Path) -> None:
    ask = asker(tmp_path)
    said = {TOKENIZER.decode(ask().prefix) for _ in range(80)}
    assert not any("pipe plumber" in one for one in said)
    health = lexicon("health")
    kept = {w.lower() for ws in health.training_wordings().values() for w in ws}
    assert barred(health)
    assert barred(health).isdisjoint(kept)


def test_prompts_of_all_forms_hold_no_more_than_the_window_and_some_no_text(tmp_path: Path) -> None:
    pool = RealPool(Random(1), Encoder(TOKENIZER), [(1.0, asker(tmp_path))], SERVED)
    marker = Encoder(TOKENIZER).marker
    bare = 0
    for example in pool.batch(60, 24):
        text = "".join(f"{i}," for i in example.ids).split("".join(f"{i}," for i in marker))
        bare += len(text) == 1
        assert example.places == sorted(set(example.places))
        assert len(example.places) == len(example.targets)
        assert all(0 < target < 1 for target in example.targets)
        if len(text) > 1:
            assert text[1].count(",") <= 24 + 1 + len(Encoder(TOKENIZER).suffix)
    assert 0 < bare < 60 * CANDIDATES / 2


class Alone(Machine):
    """One of two processes, the other of which never wrote its part."""

    @override
    def total(self, values: Tensor) -> Tensor:
        """Nothing is added."""
        return values


def test_vectors_are_computed_once_and_shared_by_two_processes(tmp_path: Path) -> None:
    read: list[str] = []

    def counted(texts: Sequence[str]) -> Singles:
        read.extend(texts)
        return encode(texts)

    texts = [f"text {n}" for n in range(7)]
    second = Alone(device=ONE.device, rank=1, world=2)
    with pytest.raises(OSError, match=r"\.npy"):
        TextVectors(tmp_path, second, counted, lambda _: None, 2).of("some", texts)
    assert read == texts[2:4] + texts[6:]
    found = TextVectors(tmp_path, ONE, counted, lambda _: None, 2).of("some", texts)
    assert sorted(read) == texts
    assert found == pytest.approx(encode(texts), abs=1e-3)
    TextVectors(tmp_path, ONE, counted, lambda _: None, 2).of("some", texts)
    assert len(read) == len(texts)
