"""The loop of reinforcement learning: sample, reward, update, measure, save. It knows neither algorithm nor actor.

What a step draws follows from seed and step alone, so that a resumed run repeats the uninterrupted one exactly.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from models.writing import write_whole
from schemas.errors import ModelUnavailable, TrainingDiverged
from training.components import saving
from training.components.finite import sound
from training.components.optimizer import schedule
from training.components.run_directory import STATE, RunDirectory
from training.components.stopping import Stop
from training.judging.postings import PostingRow
from training.rl import curves, samples
from training.rl.actor import Actor, Source
from training.rl.algorithms import Algorithm
from training.rl.config import RlConfig
from training.rl.measuring import UNMEASURED, DevFigures, RlMetrics, group_means, measure
from training.rl.order import step_postings
from training.rl.reward import Reward
from training.rl.step import Updater

Watch = Callable[[RlMetrics, int], None]
"""Called after each step with its metrics and the number of steps of the run."""
Draw = Callable[[Sequence[Mapping[str, Any]], Path], object]
"""Draws lines of metrics.jsonl into a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RlData:
    """Postings of the splits train and dev, all with text."""

    train: Sequence[PostingRow]
    dev: Sequence[PostingRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class RlResult:
    """How a run ended. `start_kl`, `best_kl`: mean dev KL to raw text of the start, and of the actor in `best/`."""

    ended: Literal["whole", "stopped"]
    steps: int
    start_kl: float
    best_kl: float
    best_step: int
    lost: int


@dataclass(slots=True, kw_only=True)
class RlPosition:
    """The progress of a run: steps done, and the best dev reward with its KL and step."""

    step: int = 0
    best_reward: float = -math.inf
    best_kl: float = math.nan
    best_step: int = 0


class Rl:
    """One run in one process."""

    def __init__(
        self,
        config: RlConfig,
        data: RlData,
        actor: Actor,
        algorithm: Algorithm,
        reward: Reward,
        run: RunDirectory,
        *,
        stop: Stop,
        watch: Watch,
        draw: Draw = curves.draw,
    ) -> None:
        """`actor` has the weights that the run starts from, also when it is resumed: the KL is taken to them.

        `draw`: makes curves.png with every checkpoint.
        """
        self._config, self._data, self._actor, self._reward = config, data, actor, reward
        self._run, self._stop, self._watch, self._draw = run, stop, watch, draw
        self._updater = Updater(actor, copy.deepcopy(actor), algorithm, config)
        self._dev: list[Source] = actor.prepare(data.dev)
        self._place = RlPosition()
        self._before = self._now = UNMEASURED

    def train(self, checkpoint: Path | None = None) -> RlResult:
        """Run all steps, or those that remain after `checkpoint`."""
        if checkpoint:
            self._restore(saving.read_state(checkpoint / STATE))
        else:
            self._begin()
        place, config = self._place, self._config
        while place.step < config.steps:
            with sound(place.step + 1, self._run.path):
                self._tell(self._step_or_save())
                stopped, last = self._stop.asked, place.step == config.steps
                if stopped or last or place.step % config.save_every_steps == 0:
                    self._save()
            if stopped and not last:
                return self._result("stopped")
        if not place.best_step and math.isinf(place.best_reward):
            raise TrainingDiverged(f"no evaluation of {self._run.path} gave a number: nothing is in best/")
        return self._result("whole")

    def _step_or_save(self) -> RlMetrics:
        """The next step; where the ranker stays away, save what the steps before it learned, then raise."""
        try:
            return self._step()
        except ModelUnavailable:
            self._save()
            raise

    def _step(self) -> RlMetrics:
        place, config, start = self._place, self._config, time.monotonic()
        rows = step_postings(config.seed, len(self._data.train), place.step, config.postings)
        sources = self._actor.prepare([self._data.train[row] for row in rows])
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + place.step)
        drawn = self._actor.sample(sources, config.group, generator)
        sampled = time.monotonic()
        rewards = self._reward.of(sources, [[one.text for one in group] for group in drawn])
        rewarded = time.monotonic()
        factor = schedule(place.step / config.steps, config.warmup, config.cooldown)
        known = [row for row, reward in enumerate(rewards) if reward is not None]
        figures: dict[str, Any] = {}
        if known:
            totals_PG = torch.from_numpy(np.stack([found.total for found in rewards if found is not None]))
            updated = self._updater.update([(sources[row], drawn[row]) for row in known], totals_PG, factor)
            figures = group_means([found for found in rewards if found is not None]) | asdict(updated)
            figures["kl_start"] = figures.pop("kl")
        place.step += 1
        return RlMetrics(
            **figures,
            **self._evaluated(),
            step=place.step,
            rate=config.rate * factor,
            lost=self._reward.lost,
            retries=self._reward.retries,
            sample_s=sampled - start,
            reward_s=rewarded - sampled,
            update_s=time.monotonic() - rewarded,
        )

    def _evaluated(self) -> dict[str, Any]:
        """Dev figures where an evaluation is due; the best actor so far is saved."""
        place, config = self._place, self._config
        if place.step < config.steps and place.step % config.evaluate_every_steps:
            return {}
        self._now = self._measured()
        if self._now.reward > place.best_reward:
            place.best_reward, place.best_kl, place.best_step = self._now.reward, self._now.kl, place.step
            self._run.save_best(self._actor.save)
        return _dev(self._now)

    def _measured(self) -> DevFigures:
        with torch.no_grad():
            return measure(self._actor, self._dev, self._reward, self._config.share)

    def _begin(self) -> None:
        # A run killed before its first checkpoint has left metrics of steps that are now computed again.
        self._run.rewind(-1)
        self._before = self._now = self._measured()
        if math.isfinite(self._before.reward):
            self._place.best_reward, self._place.best_kl = self._before.reward, self._before.kl
            self._run.save_best(self._actor.save)
        self._tell(RlMetrics(step=0, **_dev(self._before)))

    def _restore(self, state: dict[str, Any]) -> None:
        self._place = RlPosition(**state["place"])
        self._actor.restore(state["actor"])
        self._updater.optimizer.load_state_dict(state["optimizer"])
        self._before, self._now = (
            DevFigures(**state[name] | {"texts": tuple(state[name]["texts"])}) for name in ("before", "now")
        )
        self._run.rewind(self._place.step)

    def _save(self) -> None:
        state = {
            "place": asdict(self._place),
            "actor": self._actor.state(),
            "optimizer": self._updater.optimizer.state_dict(),
            "before": asdict(self._before),
            "now": asdict(self._now),
        }

        def fill(directory: Path) -> None:
            self._actor.save(directory)
            saving.write_state(directory / STATE, state)

        self._run.save(self._place.step, fill)
        # The checkpoint is saved. On a full disk skip the pictures and the page: the next save makes them again.
        with suppress(OSError):
            self._draw(self._run.metrics(), self._run.path / "curves.png")
            write_whole(
                self._run.path / "samples.md",
                samples.page(self._dev, self._before, self._now, self._place.step),
            )

    def _tell(self, metrics: RlMetrics) -> None:
        self._run.append(asdict(metrics))
        self._watch(metrics, self._config.steps)

    def _result(self, ended: Literal["whole", "stopped"]) -> RlResult:
        place = self._place
        return RlResult(
            ended=ended,
            steps=place.step,
            start_kl=self._before.kl,
            best_kl=place.best_kl,
            best_step=place.best_step,
            lost=self._reward.lost,
        )


def _dev(figures: DevFigures) -> dict[str, Any]:
    return {
        "dev_kl": figures.kl,
        "dev_reward": figures.reward,
        "dev_share": figures.share,
        "dev_guards": dict(figures.guards),
    }
