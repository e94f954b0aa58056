"""Fine-tuning: losses by hand, what is learned, and runs that go on where they stopped."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen3ForCausalLM

from models.engine.checkpoint import load_checkpoint
from models.prompts import Prompter, load_tokenizer
from tests.support.tiny import byte_level_tokenizer, write_checkpoint
from tests.training.sft.world import CPU, SMALL, WORDING, judgements, lines, losses, stop_after, tune, world
from training.components.run_directory import RunDirectory
from training.components.stopping import Stop
from training.judging.postings import read_postings
from training.sft.config import SftStage
from training.sft.examples import Answers, encode
from training.sft.model import RankerModule, open_model, open_prompter
from training.sft.objective import batch_loss, count
from training.sft.order import StepBatches
from training.sft.run import Inputs
from training.sft.targets import judged


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    torch.set_num_threads(1)
    return world(tmp_path_factory.mktemp("sft"))


def test_the_loss_of_labels_is_equation_3_of_the_plain_models_last_logits(given: Inputs) -> None:
    chosen = [judgements()[at] for at in (0, 5, 9)]
    postings = {row.posting_id: row.item for row in read_postings(given.postings)}
    examples = encode(chosen, postings, open_prompter(given.model, None), judged)
    model = open_model(given.model)
    plain, prompter = (
        Qwen3ForCausalLM.from_pretrained(given.model, dtype=torch.float32),
        Prompter.from_dir(given.model),
    )
    by_hand = 0.0
    for row in chosen:
        (item,) = prompter.item_ids_many([postings[row.posting_id]])
        logits = plain(torch.tensor([prompter.prefix_ids(row.query) + item])).logits[0, -1]
        p_yes, p_no = torch.softmax(logits[list(prompter.label_ids)], 0).tolist()
        soft = row.soft_label
        by_hand += (soft * math.log(soft / p_yes) + (1 - soft) * math.log((1 - soft) / p_no)) / len(chosen)
    batch = ((0,), (1,), (2,))
    ranker, counts = (
        RankerModule(model, prompter.label_ids),
        count(examples, StepBatches(epoch=0, batches=(batch,))),
    )
    found = batch_loss(ranker, examples, batch, SftStage(), counts, CPU.device)
    assert found.item() == pytest.approx(by_hand, rel=1e-4)


def test_the_loss_of_rationales_is_that_of_the_text_after_the_prompt_alone(given: Inputs) -> None:
    chosen = judgements()[:3]
    postings = {row.posting_id: row.item for row in read_postings(given.postings)}
    answers = Answers(wording=WORDING, tokenizer=load_tokenizer(given.model), end_id=1, most_tokens=64)
    prompter = open_prompter(given.model, None, 64)
    examples = encode(chosen, postings, prompter, judged, answers)
    model = open_model(given.model)
    total, number = 0.0, 0
    for row in examples.rows:
        ids = torch.tensor([[*row.query.tolist(), *row.item.tolist(), *row.answer.tolist()]])
        logs = torch.log_softmax(model(ids).logits[0].double(), -1)
        for place in range(row.prompt_length, row.length):
            total, number = total - logs[place - 1, ids[0, place]].item(), number + 1
    batch, stage = ((0,), (1,), (2,)), SftStage(objective="rationales")
    counts = count(examples, StepBatches(epoch=0, batches=(batch,)))
    found = batch_loss(RankerModule(model, prompter.label_ids), examples, batch, stage, counts, CPU.device)
    assert counts.answers == number
    assert found.item() == pytest.approx(total / number, rel=1e-4)


def test_a_step_cut_into_two_batches_has_the_same_loss(given: Inputs) -> None:
    chosen = judgements()[:4]
    postings = {row.posting_id: row.item for row in read_postings(given.postings)}
    examples = encode(chosen, postings, open_prompter(given.model, None), judged)
    ranker, stage = RankerModule(open_model(given.model), (5, 6)), SftStage(listwise_weight=0.5)
    whole, parts = (((0, 1), (2, 3)),), (((0, 1),), ((2, 3),))

    def loss(batches: tuple[tuple[tuple[int, ...], ...], ...]) -> float:
        counts = count(examples, StepBatches(epoch=0, batches=batches))
        return sum(batch_loss(ranker, examples, b, stage, counts, CPU.device).item() for b in batches)

    assert loss(whole) == pytest.approx(loss(parts), rel=1e-5)


@pytest.mark.timeout(180)  # eight seconds of processor time
def test_a_learnable_set_is_learned_in_two_stages(given: Inputs, tmp_path: Path) -> None:
    stages = (
        SftStage(objective="rationales", rate=3e-3),
        SftStage(epochs=12, rate=3e-3, listwise_weight=0.3),
    )
    result = tune(given, tmp_path / "run", replace(SMALL, stages=stages, patience=100))
    found = [line for line in lines(tmp_path / "run") if line["stage"] == 1 and line["loss"] is not None]
    assert sum(line["loss"] for line in found[-5:]) < 0.5 * sum(line["loss"] for line in found[:5])
    assert result.best_ndcg > lines(tmp_path / "run")[0]["dev_ndcg"]
    assert Prompter.from_dir(tmp_path / "run" / "best").label_ids
    assert (tmp_path / "run" / "config.json").is_file()


def test_a_run_stopped_and_resumed_has_the_losses_and_weights_of_an_undisturbed_one(
    given: Inputs, tmp_path: Path
) -> None:
    stages = (
        SftStage(objective="rationales", max_steps=5, rate=1e-3),
        SftStage(max_steps=7, rate=1e-3, epochs=3),
    )
    config = replace(SMALL, stages=stages, optimizer="muon")
    whole = tune(given, tmp_path / "whole", config)
    stop = Stop()
    first = tune(given, tmp_path / "cut", config, stop=stop, watch=stop_after(stop, 6))
    assert (first.ended, first.steps) == ("stopped", 6)
    second = tune(given, tmp_path / "cut", config, resume=True)
    assert second == whole
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    assert len(losses(tmp_path / "cut")) == 12
    last = [open_model(tmp_path / name / "step-12").state_dict() for name in ("whole", "cut")]
    assert all(torch.equal(last[0][key], last[1][key]) for key in last[0])


def test_training_ends_early_when_dev_ndcg_no_longer_rises(given: Inputs, tmp_path: Path) -> None:
    stage = SftStage(epochs=50, rate=1e-12)
    config = replace(SMALL, stages=(stage,), evaluate_every_steps=1, save_every_steps=100, patience=3)
    result = tune(given, tmp_path / "run", config)
    assert (result.ended, result.steps, result.best_step) == ("early", 4, 1)
    assert [path.name for path in RunDirectory(tmp_path / "run").checkpoints()] == ["step-4"]


def test_best_is_a_stock_checkpoint_with_a_name_of_its_own(given: Inputs, tmp_path: Path) -> None:
    tune(given, tmp_path / "run7", replace(SMALL, stages=(SftStage(max_steps=2),), best_dtype="bfloat16"))
    best = tmp_path / "run7" / "best"
    checkpoint = load_checkpoint(best, "ranker")
    assert checkpoint.name == "ranker@run7-2"
    assert checkpoint.weights["model.norm.weight"].dtype == torch.bfloat16
    assert Qwen3ForCausalLM.from_pretrained(best).dtype == torch.bfloat16
    assert (tmp_path / "run7" / "step-2" / "model.safetensors").is_file()


@pytest.mark.parametrize("kind", ["Llama", "Qwen2"])
def test_other_architectures_are_tuned_and_saved_as_stock_checkpoints(tmp_path: Path, kind: str) -> None:
    other = world(tmp_path)
    changes: dict[str, Any] = {"model_type": kind.lower(), "architectures": [f"{kind}ForCausalLM"]}
    write_checkpoint(other.model, byte_level_tokenizer(), max_position_embeddings=2048, **changes)
    tune(other, tmp_path / "run", replace(SMALL, stages=(SftStage(max_steps=2),)))
    before, after = (load_checkpoint(path, "ranker") for path in (other.model, tmp_path / "run" / "best"))
    assert after.shape.architecture.model_class == f"{kind}ForCausalLM"
    assert before.weights.keys() == after.weights.keys()
    assert any(not torch.equal(w, after.weights[name]) for name, w in before.weights.items())


def test_recomputed_activations_change_no_loss_and_bf16_changes_it_a_little(
    given: Inputs, tmp_path: Path
) -> None:
    config = replace(SMALL, stages=(SftStage(max_steps=4, rate=1e-3),), evaluate_every_steps=100)
    for name, changed in {
        "plain": config,
        "recomputed": replace(config, gradient_checkpointing=True),
        "bf16": replace(config, bf16=True),
    }.items():
        tune(given, tmp_path / name, changed)
    plain = losses(tmp_path / "plain")
    assert losses(tmp_path / "recomputed") == plain
    assert losses(tmp_path / "bf16") == pytest.approx(plain, rel=0.05)
    assert losses(tmp_path / "bf16") != plain
