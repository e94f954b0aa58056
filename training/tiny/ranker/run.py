"""The tiny ranker's training run (docs/training.md#the-shipped-tiny-ranker)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import Qwen3ForCausalLM

from models.prompts import Prompter
from training.components import losses
from training.components.finite import check_number
from training.components.machine import Machine
from training.components.optimizer import Optimizer, schedule
from training.components.reporting import Log
from training.components.stopping import Stop, stopping
from training.judging import words
from training.tiny import checkpoint
from training.tiny.checkpoint import TinyShape
from training.tiny.encoding import Encoder
from training.tiny.ranker import match_circuit
from training.tiny.ranker.examples import CANDIDATES, collate
from training.tiny.ranker.pools import PoolMix, WindowStage
from training.tiny.ranker.progress import (
    NO_HOOKS,
    Progress,
    RunClock,
    RunHooks,
    RunStopped,
    load_state,
    save_state,
)
from training.tiny.vocabulary import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class RankerRun:
    """Settings of a training run, which lasts `minutes` or `steps`, whichever is shorter.

    Minutes are processor time of one thread: a run that is stopped for a while, or that shares its cores, takes as
    many steps as one that has the machine alone.
    """

    name: str = "ranker@3"
    """The checkpoint's name, `NAME@VERSION`; scores are stored under it."""
    minutes: float = 40.0
    steps: int = 1_000_000
    seed: int = 1
    begin: float = 0.0
    """Share of the schedule that is already done, where the run continues from a checkpoint."""
    save_steps: int = 60
    compiled: bool = False
    shape: TinyShape = checkpoint.RANKER
    matrix_rate: float = 0.004
    vector_rate: float = 1e-3
    dense_weight: float = 0.5
    listwise_weight: float = 0.3
    stages: tuple[WindowStage, ...] = (
        WindowStage(start=0.0, windows=(8, 24, 48), queries=5),
        WindowStage(start=0.15, windows=(24, 48, 96), queries=5),
        WindowStage(start=0.35, windows=(32, 64, 160, 320), queries=4),
        WindowStage(start=0.65, windows=(24, 48, 96, 160, 320, 700), queries=5),
    )


MEASURED = 3
"""How often in a run the ranker is measured on dev queries, beside once at its end."""
ONE = Machine(device=torch.device("cpu"))
MixMaker = Callable[[Encoder, Tokenizer, Table], PoolMix]
"""Builds the training data for a tokenizer and its vectors (`mix.mix_maker`)."""


def train_ranker_from(
    tokenizer: Tokenizer,
    table_VD: Table,
    make_mix: MixMaker,
    run: RankerRun,
    out: Path,
    machine: Machine = ONE,
    report: Log = print,
    hooks: RunHooks = NO_HOOKS,
) -> list[float]:
    """Train a new model from a tokenizer's [V, 256] vectors, strongest directions first; returns each step's loss."""
    torch.manual_seed(run.seed)
    table = table_VD[:, : checkpoint.HIDDEN - match_circuit.RESERVED]
    encoder = Encoder(tokenizer)
    first = torch.Generator().manual_seed(run.seed)
    model = checkpoint.new_model(
        match_circuit.plant_vectors(table, marks(tokenizer, encoder)), run.shape, first
    )
    match_circuit.plant(model, first)
    return train_on(model, tokenizer, make_mix(encoder, tokenizer, table), run, out, machine, report, hooks)


def train_on(
    model: Qwen3ForCausalLM,
    tokenizer: Tokenizer,
    mix: PoolMix,
    run: RankerRun,
    out: Path,
    machine: Machine = ONE,
    report: Log = print,
    hooks: RunHooks = NO_HOOKS,
) -> list[float]:
    """Train a model, save it to `out` at the end and every `save_steps` steps; returns each step's loss.

    Of several processes the first one saves; `mix` must draw other prompts in each. The first SIGTERM or Ctrl-C ends
    the run after its present step, saved; RunStopped then says so.
    """
    prompter = Prompter(tokenizer)

    def measure() -> None:
        if hooks.measure and machine.rank == 0:
            report(f"{hooks.measure(model, prompter)}")

    def save(optimizer: Optimizer, at: Progress) -> None:
        if machine.rank == 0:
            checkpoint.save(model, tokenizer, out, run.name)
            if hooks.state:
                save_state(hooks.state, model, optimizer, at)

    with stopping() as stop:
        calls = _Calls(save=save, measure=measure, report=report, stop=stop)
        return _loop(run, model, mix, prompter.label_ids, machine, hooks, calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """What the loop does beside its steps, and whether it is to stop."""

    save: Callable[[Optimizer, Progress], None]
    measure: Callable[[], None]
    report: Log
    stop: Stop


def marks(tokenizer: Tokenizer, encoder: Encoder) -> match_circuit.RankerMarkers:
    """The token ids that the match circuit knows, looked up in this tokenizer."""
    vocab = tokenizer.get_vocab()
    yes, no = encoder.prompter.label_ids
    return match_circuit.RankerMarkers(
        query=encoder.prompter.prefix_ids("")[-1],
        item=vocab["title"],
        yes=yes,
        no=no,
        stop=tuple(i for t, i in vocab.items() if t in words.EMPTY_WORDS or not t.lstrip("#").isalnum()),
    )


def _loop(
    run: RankerRun,
    model: Qwen3ForCausalLM,
    mix: PoolMix,
    labels: tuple[int, int],
    machine: Machine,
    hooks: RunHooks,
    calls: _Calls,
) -> list[float]:
    optimizer = Optimizer(model, matrix_rate=run.matrix_rate, vector_rate=run.vector_rate)
    at = load_state(hooks.state, model, optimizer) if hooks.state and hooks.resume else Progress()
    body = torch.compile(model.model, dynamic=True) if run.compiled else model.model
    clock, history, tokens, asked = RunClock(at.spent, run.minutes), list[float](), 0, False
    # All processes draw the same window at each step: with texts of unequal length one would wait for another.
    lengths, measured = Random(run.seed + at.step), -1
    while at.step < run.steps and at.spent < 1 and not asked:
        done = run.begin + (1 - run.begin) * at.spent
        if int(at.spent * MEASURED) > measured:
            measured = int(at.spent * MEASURED)
            clock.leave_out(calls.measure)
        stage = [s for s in run.stages if s.start <= done][-1]
        total = 0.0
        for share, examples in mix.draw(stage.queries, lengths.choice(stage.windows)):
            ids, rows, columns, targets = collate(examples)
            logits = label_logits(model, body, ids, rows, columns, labels)
            loss = share * ranker_loss(run, rows, logits, targets)
            torch.autograd.backward(loss)
            total += float(loss.detach())
            tokens += ids.numel() * machine.world
        total, spent, stops = agreed(model, machine, [total, clock.spent(), float(calls.stop.asked)])
        check_number(total, f"step {at.step}: the loss")
        optimizer.step(schedule(done))
        history.append(total)
        if at.step % 20 == 0:
            mean = sum(history[-50:]) / len(history[-50:])
            calls.report(
                f"step {at.step} {100 * done:.0f}% loss {mean:.4f} tokens {tokens} {60 * run.minutes * spent:.0f}s"
            )
        at = Progress(step=at.step + 1, spent=max(spent, (at.step + 1) / run.steps))
        asked = stops > 0
        if at.step % run.save_steps == 0:
            # a killed run keeps its progress up to here
            calls.save(optimizer, at)
    calls.save(optimizer, at)
    if asked:
        raise RunStopped(calls.stop.signal)
    calls.measure()
    return history


@torch.no_grad()
def agreed(model: nn.Module, machine: Machine, numbers: Sequence[float]) -> list[float]:
    """Average gradients and some numbers over all processes, so that all take the same step; returns the numbers."""
    parameters = list(model.parameters())
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = torch.cat([*(grad.flatten() for grad in grads), torch.tensor(numbers, dtype=torch.float32)])
    mean = machine.total(flat) / machine.world
    sizes = [grad.numel() for grad in grads]
    own = mean[: -len(numbers)]
    for parameter, part in zip(parameters, torch.split_with_sizes(own, sizes), strict=True):
        parameter.grad = part.view_as(parameter)
    found: list[float] = mean[-len(numbers) :].tolist()
    return found


def label_logits(
    model: Qwen3ForCausalLM,
    body: Callable[..., object],
    ids_NT: Tensor,
    rows_L: Tensor,
    columns_L: Tensor,
    labels: tuple[int, int],
) -> Tensor:
    """logit_yes - logit_no [L] at the given rows and columns; padding is on the right, where nothing attends to it."""
    hidden: Tensor = body(input_ids=ids_NT, use_cache=False).last_hidden_state  # type: ignore[attr-defined]
    table = model.model.embed_tokens.weight
    logits_L: Tensor = hidden[rows_L, columns_L] @ (table[labels[0]] - table[labels[1]])
    return logits_L


def ranker_loss(run: RankerRun, rows_L: Tensor, logits_L: Tensor, targets_L: Tensor) -> Tensor:
    """Equation (3) at the answers (each row's last label), plus weighted listwise and dense losses."""
    final = torch.ones_like(rows_L, dtype=torch.bool)
    final[:-1] = rows_L[1:] != rows_L[:-1]
    answers, wanted = logits_L[final], targets_L[final]
    lists = losses.listwise(wanted.view(-1, CANDIDATES), answers.view(-1, CANDIDATES)).mean()
    dense = losses.dense_kl(targets_L, logits_L, (~final).float())
    return losses.binary_kl(wanted, answers).mean() + run.listwise_weight * lists + run.dense_weight * dense
