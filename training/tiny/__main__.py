"""`python -m training.tiny ranker|summarizer --out DIR --minutes M`: the shipped tiny checkpoints, from scratch.

The ranker trains in several processes where `torchrun` starts them: on a CPU one thread each is quickest.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from random import Random

import torch

from models.prompts import load_tokenizer
from training.components.machine import Machine, open_machine
from training.components.reporting import Log
from training.evaluation.offline import load
from training.judging.postings import read_postings
from training.rules.judge import PreparedDomain, prepare
from training.rules.lexicon.entries import DOMAINS
from training.tiny.encoding import Encoder
from training.tiny.ranker import match_circuit
from training.tiny.ranker.first_vectors import ranker_table
from training.tiny.ranker.mix import MixConfig, mix_maker, texts
from training.tiny.ranker.run import RankerRun, train_on, train_ranker_from
from training.tiny.summarizer.keep_layer import KeepingRun
from training.tiny.summarizer.run import SummarizerRun, train_summarizer
from training.tiny.vocabulary import Table

GENERATED_TEXTS = 3000


def main() -> None:
    """Read the options and train the model that they name."""
    settings = _parser().parse_args()
    torch.set_num_threads(settings.threads)
    limits = {"minutes": settings.minutes, "steps": settings.steps}
    if settings.model == "ranker":
        begun = {"begin": settings.begin, "compiled": settings.compile}
        _ranker(settings, RankerRun(name=_name(settings), seed=settings.seed, **begun, **limits))
    else:
        run = SummarizerRun(seed=settings.seed, keeping=KeepingRun(**limits))
        train_summarizer(run, settings.out, _report)


def _name(settings: argparse.Namespace) -> str:
    """The checkpoint's name.

    Scores are stored by it, so a ranker trained on from another gets its own (`ranker@OUT`).
    """
    return settings.name or (f"ranker@{settings.out.name}" if settings.init else RankerRun().name)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.tiny", description=__doc__)
    parser.add_argument("model", choices=("ranker", "summarizer"))
    parser.add_argument("--out", type=Path, required=True, help="checkpoint directory to write")
    parser.add_argument(
        "--name", help="of a ranker, name@version (ranker@3; of one that goes on, ranker@OUT)"
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="wall-clock minutes of training")
    parser.add_argument("--steps", type=int, default=1_000_000, help="stop after so many steps at the latest")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--compile", action="store_true", help="compile the ranker's forward and backward pass"
    )
    parser.add_argument("--init", type=Path, help="a tiny ranker's checkpoint to go on from")
    parser.add_argument(
        "--begin", type=float, default=0.0, help="the share of the schedule that it has behind it"
    )
    real = parser.add_argument_group(
        "the ranker's real data; without any it trains on generated postings alone"
    )
    for domain in DOMAINS:
        real.add_argument(f"--{domain}", type=Path, help=f"{domain} postings, JSON Lines, plain or .gz")
    real.add_argument("--onet", type=Path, help="O*NET occupations with their titles, JSON Lines .gz")
    real.add_argument("--esco", type=Path, help="ESCO occupations with their labels, JSON Lines .gz")
    real.add_argument(
        "--cache", type=Path, default=Path("build/rules"), help="folder of evidence found before"
    )
    return parser


def _ranker(settings: argparse.Namespace, run: RankerRun) -> None:
    machine = open_machine("cpu", os.environ)
    try:
        _train_ranker(settings, run, machine)
    finally:
        machine.close()


def _train_ranker(settings: argparse.Namespace, run: RankerRun, machine: Machine) -> None:
    report = _report if machine.rank == 0 else _silent
    domains = _domains(settings, report)
    mix = mix_maker(MixConfig(seed=run.seed + 1000 * machine.rank), domains, settings.onet, settings.esco)
    if settings.init:
        tokenizer, model = load_tokenizer(settings.init), load(settings.init)
        vectors: Table = model.model.embed_tokens.weight.detach().numpy()[:, : -match_circuit.RESERVED].copy()
        drawn = mix(Encoder(tokenizer), tokenizer, vectors)
        train_on(model, tokenizer, drawn, run, settings.out, machine, report)
        return
    report("vocabulary …")
    made = ranker_table(Random(run.seed), texts(domains), [d.words for d in domains], GENERATED_TEXTS)
    train_ranker_from(*made, mix, run, settings.out, machine, report)


def _domains(settings: argparse.Namespace, report: Log) -> list[PreparedDomain]:
    """The postings of each domain whose file is given, split and searched for evidence.

    Training reads the train split.
    """
    found = []
    for domain in DOMAINS:
        if path := getattr(settings, domain):
            report(f"{domain}: reading {path}, looking for near-duplicates and evidence …")
            found.append(prepare(list(read_postings(path)), domain, settings.cache))
    return found


def _report(line: str) -> None:
    print(line, flush=True)


def _silent(line: str) -> None:
    """Print nothing: the first of several processes already does."""


if __name__ == "__main__":
    main()
