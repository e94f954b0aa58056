"""The fine-tuning loop: stages of steps, dev NDCG, checkpoints. A resumed run repeats the uninterrupted one exactly."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from schemas.errors import TrainingDiverged
from training.components import curves, saving
from training.components.finite import sound
from training.components.machine import Machine
from training.components.optimizer import Optimizer, schedule
from training.components.run_directory import STATE, Metrics, RunDirectory
from training.components.stopping import Stop
from training.sft.config import SftConfig, SftStage
from training.sft.evaluation import logits, mean_ndcg, ranks
from training.sft.examples import Examples
from training.sft.model import RankerModule
from training.sft.order import OrderConfig, StepBatches, plan
from training.sft.step import gradients, tokens
from training.sft.writers import ModelWriter, Saved

Watch = Callable[[Metrics, int], None]
"""Called after each step with its metrics and the most steps that the run can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Training examples of each stage, and the queries that dev NDCG is measured on."""

    stages: tuple[Examples, ...]
    dev: Examples


@dataclass(frozen=True, slots=True, kw_only=True)
class SftResult:
    """How a run ended. `best_ndcg`: dev NDCG@10 of the model in `best/`, reached after step `best_step`."""

    ended: Literal["whole", "early", "stopped"]
    steps: int
    best_ndcg: float
    best_step: int


@dataclass(slots=True, kw_only=True)
class RunPosition:
    """The progress of a run: `done` steps of `stage`, `step` steps of all; `worse`: evaluations since the best one."""

    stage: int = 0
    done: int = 0
    step: int = 0
    worse: int = 0
    best_ndcg: float = -1.0
    best_step: int = 0
    early: bool = False


class Sft:
    """One run on one machine; every process of several calls the same methods."""

    def __init__(
        self,
        config: SftConfig,
        data: Data,
        ranker: RankerModule,
        run: RunDirectory,
        *,
        writer: ModelWriter,
        machine: Machine,
        stop: Stop,
        watch: Watch,
    ) -> None:
        self._config, self._data, self._run, self._machine = config, data, run, machine
        self._writer, self._stop, self._watch = writer, stop, watch
        self._model = ranker.model
        if config.gradient_checkpointing:
            self._model.activation_checkpointing_enable({"use_reentrant": False})
        self._module = machine.wrap(ranker).train()
        self._place = RunPosition()
        self._plans = [planned(config, number, rows) for number, rows in enumerate(data.stages)]

    def train(self, checkpoint: Path | None = None) -> SftResult:
        """Run all stages, or those that remain after `checkpoint`, whose weights the ranker already has."""
        state = saving.read_state(checkpoint / STATE) if checkpoint else None
        if state:
            self._restore(state)
        else:
            self._begin()
        stopped = False
        while not stopped and self._place.stage < len(self._plans):
            stopped = self._train_stage(state["optimizer"] if state else None)
            state = None
        self._check_best(stopped=stopped)
        return self._result(stopped=stopped)

    def _train_stage(self, optimizer_state: dict[str, Any] | None) -> bool:
        """Train the present stage; True if a stop was asked for, else the run's position moves on to the next stage."""
        place, stage, steps = (
            self._place,
            self._config.stages[self._place.stage],
            self._plans[self._place.stage],
        )
        optimizer = self._optimizer(stage)
        if optimizer_state is not None:
            optimizer.load_state_dict(optimizer_state)
        while place.done < len(steps):
            with sound(place.step + 1, self._run.path):
                self._tell(self._step(optimizer, stage, steps))
                stopped = bool(self._machine.total(self._tensor(float(self._stop.asked))))
                if stopped or place.done == len(steps) or place.step % self._config.save_every_steps == 0:
                    self._save(optimizer)
            if stopped:
                return True
        place.stage, place.done, place.worse = place.stage + 1, 0, 0
        return False

    def _step(self, optimizer: Optimizer, stage: SftStage, steps: list[StepBatches]) -> Metrics:
        place, start = self._place, time.monotonic()
        step, examples = steps[place.done], self._data.stages[place.stage]
        factor = schedule(place.done / len(steps), stage.warmup, stage.cooldown)
        loss = gradients(self._module, examples, step, stage, self._machine)
        norm = optimizer.step(factor)
        place.done, place.step = place.done + 1, place.step + 1
        read, padding = tokens(examples, step, stage)
        number, seconds = place.stage, time.monotonic() - start
        return Metrics(
            step=place.step,
            stage=number,
            epoch=step.epoch,
            loss=loss,
            rate=stage.rate * factor,
            norm=norm,
            tokens=read,
            padding=padding,
            seconds=seconds,
            dev_ndcg=self._evaluated(stage, steps),
        )

    def _evaluated(self, stage: SftStage, steps: list[StepBatches]) -> float | None:
        """Dev NDCG@10 where an evaluation is due, else None.

        Saves the model if it is the best so far; ends a stage of labels that has not improved for `patience`
        evaluations.
        """
        place = self._place
        if place.done < len(steps) and place.step % self._config.evaluate_every_steps:
            return None
        value, ranks = self._measured()
        if stage.objective == "labels" or not self._has_labels:
            better = ranks and value > place.best_ndcg
            place.worse = 0 if better else place.worse + 1
            if better:
                place.best_ndcg, place.best_step = value, place.step
                self._save_best()
            if stage.objective == "labels" and place.worse >= self._config.patience:
                place.done, place.early = len(steps), place.done < len(steps)
        return value

    def _baseline(self) -> Metrics:
        """The metrics of step 0: the model before training."""
        start, (value, _) = time.monotonic(), self._measured()
        nothing = {"step": 0, "stage": 0, "epoch": 0, "tokens": 0}
        seconds = time.monotonic() - start
        return Metrics(**nothing, loss=None, rate=0.0, norm=0.0, padding=0.0, seconds=seconds, dev_ndcg=value)

    def _measured(self) -> tuple[float, bool]:
        """Dev NDCG@10, and whether the scores put any query's items in an order."""
        found = logits(self._module, self._data.dev, self._machine, self._config.batch_tokens)
        return mean_ndcg(self._data.dev, found), ranks(self._data.dev, found)

    def _check_best(self, *, stopped: bool) -> None:
        if not stopped and not self._place.best_step:
            raise TrainingDiverged(
                f"after step {self._place.step} no evaluation had found different scores within a query: "
                f"no model of {self._run.path} ranks anything, and none is in best/"
            )

    def _optimizer(self, stage: SftStage) -> Optimizer:
        muon = self._config.optimizer == "muon"
        return Optimizer(
            self._module,
            matrix_rate=stage.matrix_rate if muon else None,
            vector_rate=stage.rate,
            table_share=self._config.table_share,
            weight_decay=self._config.weight_decay,
            clip=self._config.clip,
        )

    def _restore(self, state: dict[str, Any]) -> None:
        self._place = RunPosition(**state["place"])
        torch.set_rng_state(state["rng"])
        if self._first:
            self._run.rewind(self._place.step)

    def _begin(self) -> None:
        if self._first:
            # A run killed before its first checkpoint has left metrics of steps that are now computed again.
            self._run.rewind(-1)
        self._tell(self._baseline())

    def _save(self, optimizer: Optimizer) -> None:
        weights = saving.weights(self._module)
        state = {
            "place": asdict(self._place),
            "optimizer": optimizer.state_dict(),
            "rng": torch.get_rng_state(),
        }

        def fill(directory: Path) -> None:
            self._writer.write(directory, weights, self._saved(torch.float32))
            saving.write_state(directory / STATE, state)

        if self._first:
            self._run.save(self._place.step, fill)
            # The checkpoint is saved. On a full disk skip curves.png: the next save draws it again.
            with suppress(OSError):
                curves.draw(self._run.metrics(), self._run.path / "curves.png")

    def _save_best(self) -> None:
        weights, dtype = saving.weights(self._module), getattr(torch, self._config.best_dtype)
        if self._first:
            saved = self._saved(dtype, self._place.best_ndcg)
            self._run.save_best(lambda directory: self._writer.write(directory, weights, saved))

    def _saved(self, dtype: torch.dtype, dev_ndcg: float | None = None) -> Saved:
        return Saved(
            name=f"ranker@{self._run.path.resolve().name}-{self._place.step}",
            step=self._place.step,
            dtype=dtype,
            before=self._run.metrics()[0]["dev_ndcg"],
            dev_ndcg=dev_ndcg,
        )

    def _tell(self, metrics: Metrics) -> None:
        if self._first:
            self._run.append(asdict(metrics))
            self._watch(metrics, sum(map(len, self._plans)))

    def _result(self, *, stopped: bool) -> SftResult:
        place = self._place
        ended: Literal["whole", "early", "stopped"] = "early" if place.early else "whole"
        return SftResult(
            ended="stopped" if stopped else ended,
            steps=place.step,
            best_ndcg=place.best_ndcg,
            best_step=place.best_step,
        )

    @property
    def _first(self) -> bool:
        return self._machine.rank == 0

    @property
    def _has_labels(self) -> bool:
        return any(stage.objective == "labels" for stage in self._config.stages)

    def _tensor(self, value: float) -> Tensor:
        return torch.tensor(value, device=self._machine.device)


def planned(config: SftConfig, number: int, examples: Examples) -> list[StepBatches]:
    """The steps of all epochs of stage `number`; the same for the same configuration and examples."""
    stage = config.stages[number]
    order = OrderConfig(
        seed=f"{config.seed}/{number}",
        batch_tokens=config.batch_tokens,
        accumulation=config.accumulation,
        list_size=stage.list_size if stage.listwise_weight else 1,
    )
    return plan(examples.lengths, examples.queries, order, stage.epochs)[: stage.max_steps]
