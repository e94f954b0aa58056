"""The first weights of the tiny models, set by hand, do what their tables say before any training."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
import torch

from models.prompts import Item, Prompter
from tests.support.vocabulary import small_vocabulary
from training.evaluation.offline import TransformersScorer
from training.tiny import checkpoint
from training.tiny.encoding import Encoder
from training.tiny.ranker import match_circuit
from training.tiny.ranker.run import marks

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
