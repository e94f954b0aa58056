"""`python -m training.tiny ranker --out DIR --minutes M`: the shipped tiny ranker, from scratch.

The ranker trains in several processes where `torchrun` starts them: on a CPU one thread each is quickest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import torch

from models.prompts import load_tokenizer
from schemas import arguments
from training.components.machine import Machine, open_machine
from training.components.reporting import told_in_one_line
from training.evaluation.baselines.bi_encoder import BiEncoderConfig, SentenceEncoder
from training.evaluation.offline import load
from training.rules.judge import PreparedDomain
from training.tiny.encoding import Encoder
from training.tiny.ranker import match_circuit
from training.tiny.ranker.dev import dev_ndcg
from training.tiny.ranker.first_vectors import ranker_table
from training.tiny.ranker.mix import mix_maker, texts
from training.tiny.ranker.mix_config import MIXES
from training.tiny.ranker.progress import RunHooks, RunStopped, steps_taken
from training.tiny.ranker.run import MixMaker, RankerRun, train_on, train_ranker_from
from training.tiny.ranker.text_vectors import MOST_TOKENS, TextVectors
from training.tiny.ranker.wording_files import WordingFiles
from training.tiny.real_domains import real_domains
from training.tiny.settings import TinyRun
from training.tiny.vocabulary import Table

GENERATED_TEXTS = 3000


def main() -> None:
    """Read the options and train."""
    settings = arguments.parse(TinyRun, None, prog="python -m training.tiny", description=__doc__)
    torch.set_num_threads(settings.threads)
    with told_in_one_line():
        _ranker(settings, _ranker_run(settings))


def _ranker_run(settings: TinyRun) -> RankerRun:
    return RankerRun(
        name=_name(settings),
        seed=settings.seed,
        begin=settings.begin,
        compiled=settings.compile,
        minutes=settings.minutes,
        steps=settings.steps,
    )


def _name(settings: TinyRun) -> str:
    """The checkpoint's name, by which scores are cached; a ranker trained on from `--init` is `ranker@OUT`."""
    return settings.name or (f"ranker@{settings.out.name}" if settings.init else RankerRun().name)


def _ranker(settings: TinyRun, run: RankerRun) -> None:
    machine = open_machine("cpu", os.environ)
    try:
        _train_ranker(settings, run, machine)
    except RunStopped as stopped:
        _report(str(stopped))
        sys.exit(128 + (stopped.signal or 0))
    finally:
        machine.close()


def _train_ranker(settings: TinyRun, run: RankerRun, machine: Machine) -> None:
    report = _report if machine.rank == 0 else _silent
    domains = real_domains(settings.real, MIXES[settings.mix].domains, report)
    hooks = _hooks(settings, domains)
    taken = steps_taken(hooks.state) if hooks.state and hooks.resume else 0
    mix = _mix(settings, domains, machine, run.seed + 1000 * machine.rank + 10_000 * taken)
    if settings.init:
        tokenizer, model = load_tokenizer(settings.init), load(settings.init)
        vectors: Table = model.model.embed_tokens.weight.detach().numpy()[:, : -match_circuit.RESERVED].copy()
        drawn = mix(Encoder(tokenizer), tokenizer, vectors)
        train_on(model, tokenizer, drawn, run, settings.out, machine, report, hooks)
        return
    report("vocabulary …")
    made = ranker_table(Random(run.seed), texts(domains), [d.words for d in domains], GENERATED_TEXTS)
    train_ranker_from(*made, mix, run, settings.out, machine, report, hooks)


def _hooks(settings: TinyRun, domains: Sequence[PreparedDomain]) -> RunHooks:
    state = settings.state or Path("build/training") / f"{settings.out.name}.pt"
    measure = dev_ndcg(domains, settings.dev) if settings.dev else None
    return RunHooks(state=state, resume=settings.resume, measure=measure)


def _mix(settings: TinyRun, domains: Sequence[PreparedDomain], machine: Machine, seed: int) -> MixMaker:
    files = settings.real
    config = replace(MIXES[settings.mix], seed=seed)
    banks = WordingFiles(onet=files.onet, esco=files.esco, skills=files.skills)
    encode = SentenceEncoder(BiEncoderConfig(max_tokens=MOST_TOKENS)).encode if config.sentences else None
    vectors = TextVectors(files.vectors, machine, encode, _report) if encode else None
    return mix_maker(config, domains, banks, vectors)


def _report(line: str) -> None:
    print(line, flush=True)


def _silent(line: str) -> None:
    """Print nothing: process 0 reports for all."""


if __name__ == "__main__":
    main()
