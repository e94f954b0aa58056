"""The generative actor judges what it drew, learns, resumes bit by bit, and is served as it was measured."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.engine.stock import open_stock
from models.prompts import SUMMARY_MAX_TOKENS, Prompter
from nearline.cli.options import CHECKPOINTS
from schemas.errors import ConfigError
from tests.support.tiny import byte_level_tokenizer, write_checkpoint
from tests.training.rl.world import WordScorer, posting
from training.components.saving import read_state, write_state
from training.rl.algorithms import DrGrpo, open_algorithm
from training.rl.baselines.models import open_summarizer_dir
from training.rl.config import RewardConfig, RlConfig, check, recipe
from training.rl.generative import GenerativeActor, Sampling
from training.rl.opening import open_actor
from training.rl.queries import Search
from training.rl.reward import Reward
from training.rl.step import Updated, Updater

SHORT = RlConfig(
    actor="generative",
    algorithm="gspo",
    clip_low=0.2,
    clip_high=0.2,
    postings=2,
    group=4,
    updates=2,
    rate=3e-3,
    max_tokens=6,
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "qwen3", byte_level_tokenizer())


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "llama"
    return write_checkpoint(
        path,
        byte_level_tokenizer(),
        model_type="llama",
        architectures=["LlamaForCausalLM"],
        tie_word_embeddings=True,
    )


def opened(path: Path, temperature: float = 1.0, max_tokens: int = 6) -> GenerativeActor:
    sampling = Sampling(temperature=temperature, max_tokens=max_tokens)
    return GenerativeActor.open(path, sampling, Prompter.from_dir(path).count_many, name="summarizer@run")


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


ROWS = [posting(1), posting(2, "python and kafka, night shifts, remote work"), posting(3, "")]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("kind", ["checkpoint", "llama"])
def test_actions_are_judged_as_a_whole_reading_of_prompt_and_answer_does(
    kind: str, temperature: float, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(kind)
    actor, (plain, _) = opened(path, temperature), open_stock(path)
    sources = actor.prepare(ROWS)
    samples = actor.sample(sources, 3, generator())
    judged = actor.log_probs(sources, samples)
    flat = [(source, sample) for source, group in zip(sources, samples, strict=True) for sample in group]
    assert sum(len(sample.actions) for _, sample in flat) > 12
    for row, (source, sample) in enumerate(flat):
        n = len(sample.actions)
        torch.testing.assert_close(judged.log_probs[row, :n], sample.log_probs)
        assert judged.mask[row].tolist() == [at < n for at in range(judged.mask.shape[1])]
        if n:
            ids = torch.tensor([[*source.prompt, *sample.actions.tolist()]])  # type: ignore[attr-defined]
            logits = plain(ids).logits[0, -n - 1 : -1] / temperature
            wanted = torch.distributions.Categorical(logits=logits)
            torch.testing.assert_close(judged.log_probs[row, :n], wanted.log_prob(sample.actions))
            torch.testing.assert_close(judged.entropies[row, :n], wanted.entropy())
        else:
            assert sample.text == ""


def test_the_gradient_is_that_of_whole_readings_and_reaches_every_weight(checkpoint: Path) -> None:
    actor, (plain, _) = opened(checkpoint), open_stock(checkpoint)
    sources = actor.prepare(ROWS[:1])
    samples = actor.sample(sources, 2, generator())
    actor.log_probs(sources, samples).log_probs.sum().backward()  # type: ignore[no-untyped-call]
    for sample in samples[0]:
        ids, n = torch.tensor([[*sources[0].prompt, *sample.actions.tolist()]]), len(sample.actions)  # type: ignore[attr-defined]
        logits = plain(ids).logits[0, -n - 1 : -1].log_softmax(-1)
        logits.gather(-1, sample.actions[:, None]).sum().backward()
    (group,) = actor.parameters()
    for own, other in zip(group.weights, plain.parameters(), strict=True):
        assert own.grad is not None
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-3, atol=1e-3)


def test_the_generator_alone_decides_what_is_drawn(checkpoint: Path) -> None:
    actor = opened(checkpoint)
    sources = actor.prepare(ROWS)
    before = torch.random.get_rng_state()
    drawn = [
        [sample.text for group in actor.sample(sources, 4, generator(seed)) for sample in group]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_answer_ends_with_the_first_end_marker_or_the_room(checkpoint: Path) -> None:
    actor = opened(checkpoint, max_tokens=12)
    (source,) = actor.prepare(ROWS[:1])
    room = actor._room(source.prompt)  # type: ignore[attr-defined]
    (group,) = actor.sample([source], 200, generator())
    ended = [sample for sample in group if 1 in sample.actions.tolist()]
    assert ended
    assert all(sample.actions.tolist().index(1) == len(sample.actions) - 1 for sample in ended)
    assert {len(sample.actions) for sample in group if sample not in ended} == {room}


def one_step(actor: GenerativeActor, updater: Updater, step: int) -> Updated:
    sources = actor.prepare(ROWS[:2])
    drawn = actor.sample(sources, SHORT.group, generator(step))
    earned = torch.tensor([[float(len(one.text)) for one in group] for group in drawn])
    return updater.update(list(zip(sources, drawn, strict=True)), earned, 1.0)


def test_a_resumed_run_repeats_the_uninterrupted_one_bit_by_bit(tmp_path: Path, checkpoint: Path) -> None:
    algorithm, found = open_algorithm(SHORT), []
    actor = opened(checkpoint)
    updater = Updater(actor, copy.deepcopy(actor), algorithm, SHORT)
    for step in range(3):
        found.append(one_step(actor, updater, step))
        if step == 0:
            state = {"actor": actor.state(), "optimizer": updater.optimizer.state_dict()}
            write_state(tmp_path / "state.pt", state)
    again = opened(checkpoint)
    other = Updater(again, copy.deepcopy(again), algorithm, SHORT)
    saved = read_state(tmp_path / "state.pt")
    again.restore(saved["actor"])
    other.optimizer.load_state_dict(saved["optimizer"])
    assert [one_step(again, other, step) for step in (1, 2)] == found[1:]
    assert all(torch.equal(weight, again.state()[name]) for name, weight in actor.state().items())
    assert all(one.ratio > 1e-4 for one in found)  # two updates a rollout
    assert found[2].kl > 0


def test_a_reward_rises_that_half_of_the_vocabulary_earns(checkpoint: Path) -> None:
    config = replace(SHORT, group=16, rate=5e-3)
    actor = opened(checkpoint)
    updater = Updater(actor, copy.deepcopy(actor), open_algorithm(config), config)
    sources, rewards = actor.prepare(ROWS[:2]), []
    for step in range(8):
        drawn = actor.sample(sources, config.group, generator(step))
        earned = [[float((one.actions < 200).float().mean()) for one in group] for group in drawn]
        updater.update(list(zip(sources, drawn, strict=True)), torch.tensor(earned, dtype=torch.float64), 1.0)
        rewards.append(np.mean(earned))
    assert np.mean(rewards[-2:]) > np.mean(rewards[:2]) + 0.05


def test_the_length_term_changes_the_advantage(checkpoint: Path) -> None:
    actor, scorer = opened(checkpoint), WordScorer()
    sources = actor.prepare(ROWS[:1])
    texts = ["python", "python and kafka and night shifts and remote work"]
    advantages = {}
    for w in (0.0, 5.0):
        searches = (
            Search(query="nurse", kind="strange"),
        )  # no summary has its words: agreement is 0 for all
        count = Prompter.from_dir(checkpoint).count_many
        reward = Reward(scorer, count, lambda _, found=searches: found, RewardConfig(w=w))  # type: ignore[misc]
        (found,) = reward.of(sources, [texts])
        assert found is not None
        totals = torch.from_numpy(found.total)[None]
        advantages[w] = DrGrpo(longest=8).advantages(totals)[0].tolist()
    assert advantages[0.0] == [0.0, 0.0]
    assert advantages[5.0][0] > 0 > advantages[5.0][1]


def test_a_saved_actor_is_served_with_the_summaries_that_were_measured(
    tmp_path: Path, checkpoint: Path
) -> None:
    actor = opened(checkpoint, max_tokens=SUMMARY_MAX_TOKENS)
    actor.save(tmp_path / "saved")
    back = opened(tmp_path / "saved", max_tokens=SUMMARY_MAX_TOKENS)
    wanted = back.greedy(back.prepare(ROWS), 0.1)
    assert len(set(wanted)) == 3
    served = open_summarizer_dir(tmp_path / "saved")
    assert served.shorten_many(ROWS[:2], 0.1) == wanted[:2]
    frozen = copy.deepcopy(actor)
    frozen.load(tmp_path / "saved")
    assert all(torch.equal(weight, back.state()[name]) for name, weight in frozen.state().items())
    assert json.loads((tmp_path / "saved" / "nearline.json").read_text()) == {"name": "summarizer@run"}


def test_weights_of_another_model_are_refused(checkpoint: Path, llama: Path) -> None:
    with pytest.raises(ConfigError, match="another model"):
        opened(checkpoint).restore(opened(llama).state())


def test_a_directory_that_chooses_phrases_is_no_generative_actor() -> None:
    with pytest.raises(ConfigError, match="causal language model"):
        open_actor(SHORT, CHECKPOINTS / "summarizer-tiny", lambda _: [], name="x@1", device="cpu")


def test_recipes_of_the_generative_actor_hold_and_settings_are_checked() -> None:
    for name in ("rl_generative", "rl_smollm2"):
        config = recipe(name).config
        check(config)
        assert config.actor == "generative"
        assert config.updates > 1
    for wrong in (replace(SHORT, temperature=0.0), replace(SHORT, max_tokens=SUMMARY_MAX_TOKENS + 1)):
        with pytest.raises(ConfigError):
            check(wrong)
