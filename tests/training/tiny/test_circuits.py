"""The first weights of the tiny models, set by hand, do what their tables say before any training."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
import torch

from models.prompts import Item, Prompter
from tests.support.vocabulary import small_vocabulary
from training.evaluation.offline import OfflineSummarizer, TransformersScorer
from training.tiny import checkpoint
from training.tiny.encoding import Encoder
from training.tiny.ranker import match_circuit
from training.tiny.ranker.run import marks
from training.tiny.summarizer import copy_circuit

TOKENIZER, TABLE = small_vocabulary()
ENCODER = Encoder(TOKENIZER)
MARKS = marks(TOKENIZER, ENCODER)
FIRST = checkpoint.HIDDEN - match_circuit.RESERVED
WORDS = sorted(
    word
    for word, i in TOKENIZER.get_vocab().items()
    if word.isalpha() and len(word) > 4 and i not in MARKS.stop
)


def item(words: Sequence[str]) -> Item:
    return Item(
        title="worker", company=None, location=None, employment_type=None, remote=None, text=" ".join(words)
    )


@pytest.fixture(scope="module")
def scorer() -> TransformersScorer:
    rng = torch.Generator().manual_seed(0)
    vectors = match_circuit.plant_vectors(TABLE[:, :FIRST], MARKS)
    model = checkpoint.new_model(vectors, checkpoint.RANKER, rng)
    match_circuit.plant(model, rng)
    return TransformersScorer(model, Prompter(TOKENIZER))


def test_planted_vectors_keep_their_directions_and_mark_the_labels_with_opposite_signs() -> None:
    made = match_circuit.plant_vectors(TABLE[:, :FIRST], MARKS)
    assert np.linalg.norm(made[:, :FIRST], axis=1) == pytest.approx(1, abs=1e-4)
    assert made[MARKS.yes, FIRST + match_circuit.ANSWER] == -made[MARKS.no, FIRST + match_circuit.ANSWER] == 1
    assert np.flatnonzero(made[:, FIRST + match_circuit.QUERY_MARK]).tolist() == [MARKS.query]


def test_a_new_ranker_prefers_the_text_with_all_words_of_the_query_to_one_with_half_of_them(
    scorer: TransformersScorer,
) -> None:
    rng = Random(0)
    for _ in range(10):
        first, second, *others = rng.sample(WORDS, 22)
        texts = [[*others[:8], *asked, *others[8:18]] for asked in ([first, second], [first, others[18]])]
        texts.append([*others[:8], *others[18:20], *others[8:18]])
        ((whole, half, none),) = scorer.differences([(f"{first} {second}", [item(text) for text in texts])])
        assert whole > half > none


def test_the_first_layer_tells_the_query_from_what_stands_before_and_after_it(
    scorer: TransformersScorer,
) -> None:
    prompter = scorer.prompter
    system, query = prompter.prefix_ids(""), prompter.prefix_ids(" ".join(WORDS[:3]))
    ids = query + prompter.item_ids_many([item(WORDS[10:20])])[0]
    with torch.inference_mode():
        found = scorer._model.model(input_ids=torch.tensor([ids]), output_hidden_states=True)
    inside = found.hidden_states[1][0, :, FIRST + match_circuit.IN_QUERY]
    assert inside[: len(system) - 1].abs().max() < 0.1
    assert inside[len(system) : len(query)].min() > 0.3
    assert inside[len(query) :].max() < 0


def summarizer(seed: int, kept: Sequence[str]) -> OfflineSummarizer:
    """The planted summarizer over vectors in which the words to keep carry the flag that training learns to set."""
    prompt = ENCODER.prompter.summarizer_ids_many([""])[0]
    markers = copy_circuit.SummarizerMarkers(first=prompt[0], last=prompt[-1], end=checkpoint.EOS)
    scores = np.zeros(len(TABLE), np.float32)
    vectors = copy_circuit.vectors(TABLE[:, : copy_circuit.MEANING], scores, markers, seed)
    vectors[[TOKENIZER.get_vocab()[word] for word in kept], copy_circuit.KEPT] = 1.0
    rng = torch.Generator().manual_seed(seed)
    model = checkpoint.new_model(vectors, checkpoint.SUMMARIZER, rng)
    copy_circuit.plant(model, rng)
    return OfflineSummarizer(model, TOKENIZER)


def test_a_new_summarizer_copies_the_kept_words_alone_once_each_in_the_order_of_the_text_and_ends() -> None:
    rng, wanted_in_all, written_in_all = Random(1), 0, 0
    for seed in range(6):
        kept, others = rng.sample(WORDS, 8), rng.choices(WORDS, k=30)
        text = [*others, *kept, *kept]
        rng.shuffle(text)
        wanted = list(dict.fromkeys(word for word in text if word in kept))
        made = summarizer(seed, kept)
        ids = made.generate("", " ".join(text), 20)
        written = made.decode(ids).split()
        assert written == [word for word in wanted if word in written]
        assert len(ids) < 20
        wanted_in_all, written_in_all = wanted_in_all + len(wanted), written_in_all + len(written)
    # random codes of 44 dimensions are alike now and then, and then a word is taken for one that came before
    assert written_in_all >= 0.9 * wanted_in_all


def test_a_new_summarizer_without_a_kept_word_writes_nothing() -> None:
    assert summarizer(0, ()).generate("", " ".join(WORDS[:20]), 5) == []
