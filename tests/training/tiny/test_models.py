"""Losses by hand, short training runs, and what the shipped tiny checkpoints do on postings never seen."""

import json
import math
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import Qwen3ForCausalLM

from models.prompts import Prompter, load_tokenizer
from tests.support.vocabulary import small_vocabulary
from training.components import losses
from training.components.machine import Machine
from training.components.optimizer import orthogonalized
from training.evaluation import intervals, metrics
from training.evaluation.offline import TransformersScorer, load
from training.judging.records import Judged
from training.synthetic.lexicon import load as load_lexicon
from training.synthetic.postings import GeneratedPosting, Writer
from training.tiny.encoding import Encoder, item_of
from training.tiny.judged_sets import generated
from training.tiny.ranker.mix import mix_maker
from training.tiny.ranker.mix_config import MixConfig
from training.tiny.ranker.pools import WindowStage
from training.tiny.ranker.run import RankerRun, agreed, train_ranker_from
from training.tiny.ranker.wording_files import WordingFiles
from training.tiny.settings import Sizes

CHECKPOINTS = Path("models/checkpoints")
RANKER, SUMMARIZER = CHECKPOINTS / "ranker-tiny", CHECKPOINTS / "summarizer-tiny"
PRUNED = CHECKPOINTS / "ranker-tiny-pruned"


def postings(count: int, seed: int) -> list[GeneratedPosting]:
    writer, rng = Writer(load_lexicon("heldout")), Random(seed)
    return [writer.write(rng, richness=0.3) for _ in range(count)]


def test_binary_kl_is_equation_3() -> None:
    target, logit = torch.tensor([0.9]), torch.tensor([0.4])
    p = 1 / (1 + math.exp(-0.4))
    by_hand = 0.9 * math.log(0.9 / p) + 0.1 * math.log(0.1 / (1 - p))
    assert losses.binary_kl(target, logit).item() == pytest.approx(by_hand, rel=1e-5)
    assert losses.binary_kl(target, torch.logit(target)).item() == pytest.approx(0, abs=1e-6)


def test_the_listwise_loss_is_the_cross_entropy_of_two_softmaxes() -> None:
    target, logit = torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 1.0]])
    wanted = math.exp(4) / (math.exp(4) + 1)
    said = math.exp(1) / (math.exp(1) + 1)
    by_hand = -(wanted * math.log(said) + (1 - wanted) * math.log(1 - said))
    assert losses.listwise(target, logit).item() == pytest.approx(by_hand, rel=1e-5)


def test_the_dense_loss_is_a_weighted_mean_over_tokens() -> None:
    target, logit = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.4, 3.0]])
    only_first = losses.dense_kl(target, logit, torch.tensor([[1.0, 0.0]]))
    assert only_first.item() == pytest.approx(losses.binary_kl(target[0, :1], logit[0, :1]).item())


def test_orthogonalizing_brings_singular_values_near_one() -> None:
    matrices = torch.randn(2, 32, 64, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalized(matrices))
    assert values.min() > 0.4
    assert values.max() < 1.4


def test_auc_counts_pairs_in_order_and_ties_half() -> None:
    scores, good = np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False])
    assert metrics.auc(scores, good) == pytest.approx((2 + 1.5) / 4)


def test_piecewise_encoding_equals_the_prompters() -> None:
    encoder = Encoder(load_tokenizer(RANKER))
    for posting, item in zip(postings(30, 1), encoder.encode_many(postings(30, 1)), strict=True):
        (whole,) = encoder.prompter.item_ids_many([item_of(posting, posting.description)])
        text = [i for part in item.parts for i in part.ids]
        assert item.head + encoder.marker + text + encoder.suffix == whole


@pytest.mark.timeout(60)
@pytest.mark.timeout(180)  # ten seconds of processor time
def test_twenty_steps_lower_the_rankers_loss_and_leave_a_loadable_checkpoint(tmp_path: Path) -> None:
    stage = WindowStage(start=0.0, windows=(24,), queries=2)
    run = RankerRun(minutes=60.0, steps=20, stages=(stage,))
    mix = mix_maker(MixConfig(pool=200), [], WordingFiles(), None)
    history = train_ranker_from(*small_vocabulary(), mix, run, tmp_path, report=lambda _: None)
    assert len(history) == 20
    assert np.mean(history[-5:]) < np.mean(history[:5])
    model, prompter = load(tmp_path), Prompter.from_dir(tmp_path)
    assert model.config.vocab_size == prompter.vocab_size


class Pair(Machine):
    """One of two processes; the other's part of a sum is 3 everywhere."""

    def total(self, values: Tensor) -> Tensor:
        return values + 3


def test_two_processes_agree_on_gradients_loss_and_clock() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    torch.autograd.backward(model[0](torch.ones(1, 2)).sum())
    assert agreed(model, Pair(device=torch.device("cpu"), world=2), [5.0, 9.0]) == [4.0, 6.0]
    assert [p.grad.tolist() for p in model[0].parameters() if p.grad is not None] == [
        [[2, 2], [2, 2]],
        [2, 2],
    ]
    assert [p.grad.tolist() for p in model[1].parameters() if p.grad is not None] == [[[1.5, 1.5]], [1.5]]


@pytest.mark.parametrize("directory", [RANKER, PRUNED, SUMMARIZER])
def test_a_shipped_checkpoint_is_a_stock_qwen3_of_at_most_12_mb_with_a_model_card(directory: Path) -> None:
    assert sum(path.stat().st_size for path in directory.iterdir()) <= 12_000_000
    model = Qwen3ForCausalLM.from_pretrained(directory)
    assert model.dtype == torch.bfloat16
    assert model.config.max_position_embeddings == 2048
    assert "Apache-2.0" in (directory / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def unseen() -> list[Judged]:
    return generated(Sizes(queries=16, postings=120, seed=101))


@pytest.mark.timeout(180)  # ten seconds of processor time
@pytest.mark.parametrize("checkpoint", [RANKER, PRUNED], ids=["dense", "pruned"])
def test_the_shipped_rankers_tell_unseen_generated_postings_apart(
    checkpoint: Path, unseen: list[Judged]
) -> None:
    scores = TransformersScorer.from_dir(checkpoint).differences([(j.query, j.items) for j in unseen])
    good = [np.array(j.grades) >= 3 for j in unseen]

    def pooled(rows: list[int]) -> float:
        return metrics.auc(np.concatenate([scores[r] for r in rows]), np.concatenate([good[r] for r in rows]))

    value, low, _ = intervals.bootstrap(unseen, pooled)
    assert value >= 0.65
    assert low > 0.5


def test_the_pruned_ranker_is_half_as_wide_and_a_block_shorter_under_another_name() -> None:
    dense, pruned = (json.loads((path / "config.json").read_text()) for path in (RANKER, PRUNED))
    assert pruned["intermediate_size"] == dense["intermediate_size"] // 2
    assert pruned["num_hidden_layers"] == dense["num_hidden_layers"] - 1
    assert (RANKER / "nearline.json").read_text() != (PRUNED / "nearline.json").read_text()
    assert (RANKER / "tokenizer.json").read_text() == (PRUNED / "tokenizer.json").read_text()
