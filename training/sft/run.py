"""One fine-tuning run, from its input files to its run directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedModel

from models.adapter_base import check_whole
from models.prompts import Item, load_tokenizer
from schemas.errors import ConfigError
from training.components import inputs
from training.components.machine import Machine
from training.components.run_directory import RunDirectory
from training.components.stopping import Stop
from training.judging.postings import read_postings
from training.judging.records import Judgement
from training.judging.splits import refuse_shared
from training.sft.adapter import AdapterFiles, adapter_card, with_adapter
from training.sft.config import Objective, SftConfig, check
from training.sft.evaluation import check_dev
from training.sft.examples import Answers, Examples, Wording, encode, of_split, sampled
from training.sft.loop import Data, Sft, SftResult, Watch
from training.sft.model import RankerModule, check_vocabulary, end_id, open_model, open_prompter
from training.sft.targets import rule
from training.sft.writers import ModelWriter, WholeModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The files of a run. `model`: a checkpoint directory, of which `from_scratch` takes only shape and tokenizer."""

    judged: Path
    postings: Path
    model: Path
    from_scratch: bool = False


def fine_tune(
    config: SftConfig,
    given: Inputs,
    out: Path,
    judgements: Sequence[Judgement],
    *,
    wording: Wording,
    machine: Machine,
    stop: Stop,
    watch: Watch,
    resume: bool = False,
) -> SftResult:
    """Train, and leave the best model in `out/best`; with `resume` continue the run in `out`, if there is one.

    Raises ConfigError for bad input before anything is written, StoreFull when a checkpoint cannot be written.
    """
    check(config)
    _check_adapter(config, given, machine)
    if machine.shard and config.optimizer != "adamw":
        raise ConfigError(f"optimizer {config.optimizer!r} needs whole matrices: shard with adamw")
    check_vocabulary(given.model)
    data = load_data(config, given, judgements, wording)
    run = RunDirectory(out, keep_last=config.keep_last)
    files = {"judged": given.judged, "postings": given.postings, "model": given.model}
    description = inputs.describe(config, files, from_scratch=given.from_scratch)
    again = resume and run.started
    at = run.checkpoints()[-1] if again and run.checkpoints() else None
    model, writer = _opened(config, given, data, at)
    if machine.rank == 0:
        (run.resume if again else run.start)(description)
    ranker = RankerModule(model, open_prompter(given.model, None).label_ids, bf16=config.bf16)
    sft = Sft(config, data, ranker, run, writer=writer, machine=machine, stop=stop, watch=watch)
    return sft.train(at)


def _opened(
    config: SftConfig, given: Inputs, data: Data, at: Path | None
) -> tuple[PreTrainedModel, ModelWriter]:
    """The model as it is trained on, from the checkpoint `at` if there is one, and what writes it."""
    if config.adapter is None:
        scratch = given.from_scratch and at is None
        model = open_model(at or given.model, from_scratch=scratch, seed=config.seed)
        return model, WholeModel(model, given.model)
    model = with_adapter(open_model(given.model), config.adapter, seed=config.seed, at=at)
    examples = tuple(len(stage.rows) for stage in data.stages)
    card = adapter_card(config, config.adapter, given.model, given.judged, examples)
    return model, AdapterFiles(given.model, card)


def _check_adapter(config: SftConfig, given: Inputs, machine: Machine) -> None:
    check_whole(given.model)
    if config.adapter and given.from_scratch:
        raise ConfigError("an adapter needs a trained base: leave out --from-scratch or the adapter")
    if config.adapter and machine.shard:
        raise ConfigError("an adapter is trained whole in every process: leave out --shard")


def load_data(config: SftConfig, given: Inputs, judgements: Sequence[Judgement], wording: Wording) -> Data:
    """Encode the examples of each stage and of dev; ConfigError names the split, row, posting or setting at fault."""
    refuse_shared(((one.posting_id, one.split) for one in judgements), f"{given.judged}: ")
    train = sampled(of_split(judgements, "train", given.judged), config.max_examples, config.seed)
    dev = _first_queries(of_split(judgements, "dev", given.judged), config.dev_queries)
    wanted = {judgement.posting_id for judgement in [*train, *dev]}
    rows = (row for row in read_postings(given.postings) if row.posting_id in wanted)
    postings = {row.posting_id: row.item for row in rows}
    stages: dict[str, Examples] = {}
    for stage in config.stages:
        if stage.objective not in stages:
            stages[stage.objective] = _encoded(config, given, train, postings, wording, stage.objective)
            _check_lengths(stages[stage.objective], config.batch_tokens)
    soft_label, prompter = rule(config.soft_label), open_prompter(given.model, config.budget_tokens)
    dev_rows = encode(dev, postings, prompter, soft_label)
    check_dev(dev_rows)
    _check_lengths(dev_rows, config.batch_tokens)
    return Data(stages=tuple(stages[stage.objective] for stage in config.stages), dev=dev_rows)


def _encoded(
    config: SftConfig,
    given: Inputs,
    judgements: Sequence[Judgement],
    postings: Mapping[str, Item],
    wording: Wording,
    objective: Objective,
) -> Examples:
    soft_label = rule(config.soft_label)
    if objective == "labels":
        return encode(judgements, postings, open_prompter(given.model, config.budget_tokens), soft_label)
    answers = Answers(
        wording=wording,
        tokenizer=load_tokenizer(given.model),
        end_id=end_id(given.model),
        most_tokens=config.rationale_tokens,
    )
    prompter = open_prompter(given.model, config.budget_tokens, config.rationale_tokens)
    return encode(judgements, postings, prompter, soft_label, answers)


def _check_lengths(examples: Examples, batch_tokens: int) -> None:
    longest = max(examples.lengths)
    if longest > batch_tokens:
        raise ConfigError(
            f"batch_tokens {batch_tokens}: the longest example has {longest} tokens; raise it or lower budget_tokens"
        )


def _first_queries(judgements: Sequence[Judgement], most: int | None) -> list[Judgement]:
    kept = set(list(dict.fromkeys(judgement.query_id for judgement in judgements))[:most])
    return [judgement for judgement in judgements if judgement.query_id in kept]
