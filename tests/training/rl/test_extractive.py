"""The extractive actor samples what it says, judges its samples as it drew them, and comes back as it was saved."""

import copy
import math
from pathlib import Path

import pytest
import torch

from models.extractive.checkpoint import Card
from models.prompts import Item
from nearline.cli.options import CHECKPOINTS
from training.judging.postings import PostingRow
from training.rl.actor import Sample, Source
from training.rl.extractive import ExtractiveActor
from training.rl.warm_start import WarmStart, saliences, warm_start

NURSE = (
    "We look for a nurse on our ward in Leeds. You will plan care with families; nights are paid extra. "
    "Requirements: a degree in nursing, two years on a ward and a driving licence."
)
TEXTS = [
    NURSE,
    "We look for a developer of Python services. You will be on call; remote work is possible within Europe.",
    "",
]


@pytest.fixture(scope="module")
def actor() -> ExtractiveActor:
    return ExtractiveActor.from_ranker(CHECKPOINTS / "ranker-tiny")


def rows() -> list[PostingRow]:
    return [
        PostingRow(
            posting_id=str(at),
            item=Item(title="Job", company=None, location=None, employment_type=None, remote=None, text=text),
            posted_at=None,
            source=None,
        )
        for at, text in enumerate(TEXTS)
    ]


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_samples_are_judged_as_they_were_drawn(actor: ExtractiveActor) -> None:
    sources = actor.prepare(rows())
    samples = actor.sample(sources, 3, generator())
    judged = actor.log_probs(sources, samples)
    assert judged.log_probs.shape == judged.mask.shape == judged.entropies.shape
    flat = [sample for group in samples for sample in group]
    assert len(flat) == len(judged.log_probs) == 9
    for row, mask, sample in zip(judged.log_probs, judged.mask, flat, strict=True):
        torch.testing.assert_close(row[mask], sample.log_probs)
        assert row[~mask].abs().sum() == 0
        assert sample.chosen == tuple(sample.actions.nonzero().flatten().tolist())


def test_the_generator_alone_decides_what_is_drawn(actor: ExtractiveActor) -> None:
    sources = actor.prepare(rows())
    texts = [
        [sample.text for group in actor.sample(sources, 30, generator(seed)) for sample in group]
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


def test_a_new_actor_chooses_each_phrase_with_the_share_as_probability(actor: ExtractiveActor) -> None:
    logits = torch.cat(actor.logits(actor.prepare(rows())))
    torch.testing.assert_close(logits.sigmoid(), torch.full_like(logits, actor.card.share))


def test_a_card_with_a_threshold_leaves_lengths_free() -> None:
    card = Card(share=1.0, threshold=0.0)
    free = ExtractiveActor.from_ranker(CHECKPOINTS / "ranker-tiny", card=card)
    sources = [source for source in free.prepare(rows()) if source.phrases]
    chances = [math.exp(float(one.log_probs[one.actions > 0][0])) for one in _chosen(free, sources)]
    assert chances == pytest.approx([0.5] * len(chances))
    free.shift(-9.0)
    assert all(
        len(source.phrases) > len(one.chosen)
        for source, one in zip(sources, _drawn(free, sources), strict=True)
    )


def _drawn(actor: ExtractiveActor, sources: list[Source]) -> list[Sample]:
    return [group[0] for group in actor.sample(sources, 1, generator())]


def _chosen(actor: ExtractiveActor, sources: list[Source]) -> list[Sample]:
    found = [one for one in _drawn(actor, sources) if one.chosen]
    assert found
    return found


def test_a_gradient_reaches_head_and_body() -> None:
    actor = ExtractiveActor.from_ranker(CHECKPOINTS / "ranker-tiny")
    (head, _) = actor.parameters()
    with torch.no_grad():
        for weight in head.weights:
            weight.add_(0.01)
    sources = actor.prepare(rows())
    total = actor.log_probs(sources, actor.sample(sources, 2, generator())).log_probs.sum()
    total.backward()  # type: ignore[no-untyped-call]
    for group in actor.parameters():
        assert group.weights
        assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in group.weights)


def test_a_copy_stays_as_it_is_and_a_saved_actor_comes_back(tmp_path: Path) -> None:
    actor = ExtractiveActor.from_ranker(CHECKPOINTS / "ranker-tiny")
    frozen = copy.deepcopy(actor)
    sources = actor.prepare(rows())
    history = warm_start(actor, sources, WarmStart(steps=12, rate=1e-2), lambda _: None)
    assert history[-1] < history[0]
    assert set(torch.cat(frozen.logits(sources)).tolist()) != set(torch.cat(actor.logits(sources)).tolist())
    actor.save(tmp_path / "saved")
    back = ExtractiveActor.open(tmp_path / "saved")
    assert back.greedy(sources, 0.2) == actor.greedy(sources, 0.2)
    assert sum(file.stat().st_size for file in (tmp_path / "saved").iterdir()) < 12_000_000
    frozen.restore(actor.state())
    torch.testing.assert_close(frozen.logits(sources), actor.logits(sources))
    frozen.load(tmp_path / "saved")
    torch.testing.assert_close(frozen.logits(sources), back.logits(sources))


def test_rare_words_are_salient_and_the_share_is_set(actor: ExtractiveActor) -> None:
    sources = [source for source in actor.prepare(rows()) if source.phrases]
    for salience in saliences(sources):
        assert abs(float(salience.mean())) < 1e-5
    own = copy.deepcopy(actor)
    warm_start(own, sources, WarmStart(steps=0), lambda _: None)
    chances = torch.cat(own.logits(sources)).detach().sigmoid()
    counts = torch.tensor([count for source in sources for count in source.counts])
    expected = float((chances * counts).sum()) / sum(source.tokens for source in sources)
    assert math.isclose(expected, own.card.share, rel_tol=1e-3)
