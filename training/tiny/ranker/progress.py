"""How far a training run is, by its own processor time, and what a later process needs to go on with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Qwen3ForCausalLM

from models.prompts import Prompter
from models.writing import replacing_file
from schemas.errors import ConfigError
from training.components.optimizer import Optimizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Steps taken, and the share of the run's minutes that is spent."""

    step: int = 0
    spent: float = 0.0


class RunStopped(Exception):
    """A signal ended the run after a step that was saved; `--resume` goes on."""

    def __init__(self, signal: int | None) -> None:
        super().__init__("stopped and saved; the same command with --resume goes on")
        self.signal = signal


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHooks:
    """`state`: the file that a resumed run reads; `measure`: a line about a model on dev queries."""

    state: Path | None = None
    resume: bool = False
    measure: Callable[[Qwen3ForCausalLM, Prompter], str] | None = None


NO_HOOKS = RunHooks()


class RunClock:
    """The share of a run that is spent, by processor time of each thread: time in which it was stopped is none."""

    def __init__(self, spent: float, minutes: float, clock: Callable[[], float] = time.process_time) -> None:
        self._clock, self._begun, self._before = clock, clock(), spent
        self._whole = 60 * minutes * torch.get_num_threads()

    def spent(self) -> float:
        """The share so far."""
        return self._before + (self._clock() - self._begun) / self._whole

    def leave_out(self, work: Callable[[], object]) -> None:
        """Do something whose time does not count."""
        begun = self._clock()
        work()
        self._begun += self._clock() - begun


def save_state(file: Path, model: nn.Module, optimizer: Optimizer, at: Progress) -> None:
    """Write weights in fp32, momenta and progress, whole or not at all."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "progress": asdict(at)}
    with replacing_file(file) as partial:
        torch.save(state, partial)


def load_state(file: Path, model: nn.Module, optimizer: Optimizer) -> Progress:
    """Set a model and its optimizer to a saved state and return how far that was."""
    state = _read(file)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return Progress(**state["progress"])


def steps_taken(file: Path) -> int:
    """The steps of a saved state."""
    return Progress(**_read(file)["progress"]).step


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ConfigError(f"there is no {file} to go on from: leave --resume out")
    found: dict[str, Any] = torch.load(file, weights_only=True)
    return found
