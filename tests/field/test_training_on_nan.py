"""Training, pruning and evaluation end with a message where numbers are not finite, and reward no constant score."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from models.prompts import Prompter
from models.pruning import checkpoint as pruning
from models.pruning.calibration import CalibrationSet
from models.pruning.config import MlpPruning
from models.pruning.lineage import LineageStep
from models.pruning.mlp import prune_mlps
from models.pruning.states import MemoryStates
from schemas.errors import ConfigError, TrainingDiverged, exit_status
from tests.support.tiny import byte_level_tokenizer, word_piece_tokenizer, write_checkpoint
from tests.training.sft.world import CPU, SMALL, WORDING, judgements, lines, nobody, tune, world
from training.components import inputs
from training.components.finite import check_weights
from training.components.reporting import told_in_one_line
from training.components.run_directory import RunDirectory
from training.components.stopping import Stop
from training.evaluation.metrics import earned_ndcg, query_ndcg
from training.evaluation.offline import TransformersScorer
from training.evaluation.settings import MetricConfig
from training.evaluation.systems import random_order, system_result
from training.judging.judged_file import read_judged_queries
from training.judging.records import JudgedQuery
from training.pruning.data import ndcgs
from training.sft.batch import Tensors
from training.sft.config import SftConfig, SftStage
from training.sft.evaluation import mean_ndcg
from training.sft.loop import Sft
from training.sft.model import RankerModule, open_model, open_prompter
from training.sft.overrides import override
from training.sft.run import Inputs, load_data
from training.sft.writers import WholeModel
from training.tiny import checkpoint as tiny_checkpoint

FEW = replace(
    SMALL,
    stages=(SftStage(epochs=3, max_steps=4, rate=1e-3),),
    evaluate_every_steps=2,
    save_every_steps=2,
    keep_last=9,
)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    torch.set_num_threads(1)
    return world(tmp_path_factory.mktemp("nan"))


class Spoiled(RankerModule):
    """A ranker in which something breaks at a forward pass of training, counted from 1."""

    first, value = 3, math.nan
    passes = 0

    def forward(self, batch: Tensors, *, answers: bool) -> Tensor:
        self.passes += self.training
        found = super().forward(batch, answers=answers)
        if self.training and self.passes >= self.first:
            self.spoil(found)
        return found

    def spoil(self, found: Tensor) -> None:
        """Gradients that are not finite, while the loss looks well."""
        found.register_hook(lambda grad: grad * self.value)  # type: ignore[no-untyped-call]


class Infinite(Spoiled):
    value = math.inf


class NoLoss(Spoiled):
    def spoil(self, found: Tensor) -> None:
        found.data[0] = math.nan


class Poisoned(Spoiled):
    first = 1

    def spoil(self, found: Tensor) -> None:
        """The weights of a token that no example holds: loss, gradients and scores stay finite."""
        del found
        self.model.model.embed_tokens.weight.data[5, 0] = math.inf


class Level(RankerModule):
    """A ranker that scores all items alike."""

    def forward(self, batch: Tensors, *, answers: bool) -> Tensor:
        return super().forward(batch, answers=answers) * (1.0 if self.training else 0.0)


def train(kind: type[RankerModule], given: Inputs, out: Path) -> None:
    """`fine_tune` with a ranker of another kind."""
    run = RunDirectory(out, keep_last=FEW.keep_last)
    files = {"judged": given.judged, "postings": given.postings, "model": given.model}
    run.start(inputs.describe(FEW, files, from_scratch=False))
    model = open_model(given.model, seed=FEW.seed)
    ranker = kind(model, open_prompter(given.model, None).label_ids)
    data, writer = load_data(FEW, given, judgements(), WORDING), WholeModel(model, given.model)
    sft = Sft(FEW, data, ranker, run, writer=writer, machine=CPU, stop=Stop(), watch=nobody)
    sft.train()


def finite(path: Path) -> bool:
    return all(bool(torch.isfinite(w).all()) for w in load_file(path / "model.safetensors").values())


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Spoiled, "step 3: the norm of the gradients is nan"),
        (Infinite, "step 3: the norm of the gradients is (inf|nan)"),
        (NoLoss, "step 3: the loss is nan"),
    ],
)
def test_a_run_stops_before_what_is_not_finite_reaches_its_weights(
    given: Inputs, tmp_path: Path, kind: type[RankerModule], said: str
) -> None:
    with pytest.raises(TrainingDiverged, match=f"{said}; what .*run holds was saved before") as caught:
        train(kind, given, tmp_path / "run")
    assert exit_status(caught.value) == 1
    saved = sorted(path.name for path in (tmp_path / "run").iterdir() if path.is_dir())
    assert saved == ["best", "step-2"]
    assert all(finite(tmp_path / "run" / name) for name in saved)
    assert [line["step"] for line in lines(tmp_path / "run")] == [0, 1, 2]


def test_a_run_that_diverged_goes_on_from_its_last_checkpoint(given: Inputs, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged):
        train(Spoiled, given, tmp_path / "run")
    assert tune(given, tmp_path / "run", FEW, resume=True) == tune(given, tmp_path / "whole", FEW)


def test_a_rate_that_is_far_too_high_ends_with_a_message(given: Inputs, tmp_path: Path) -> None:
    huge = replace(FEW, stages=(SftStage(max_steps=6, rate=1e30),))
    with pytest.raises(TrainingDiverged, match=r"step \d: "):
        tune(given, tmp_path / "run", huge)
    assert all(finite(path) for path in (tmp_path / "run").iterdir() if path.is_dir())


def test_weights_that_are_not_finite_are_not_saved(given: Inputs, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match=r"step 2: the weights model\.embed_tokens\.weight are not"):
        train(Poisoned, given, tmp_path / "run")
    assert not [path for path in (tmp_path / "run").iterdir() if path.is_dir()]


def test_scores_that_are_not_finite_have_no_ndcg(given: Inputs) -> None:
    dev = load_data(FEW, given, judgements(), WORDING).dev
    with pytest.raises(TrainingDiverged, match="the largest score of split dev is nan"):
        mean_ndcg(dev, np.full(len(dev.rows), math.nan))


def test_a_model_that_scores_all_items_alike_is_never_the_best(given: Inputs, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match=r"no model of .* ranks anything"):
        train(Level, given, tmp_path / "run")
    assert not (tmp_path / "run" / "best").exists()


@pytest.mark.parametrize(
    "change",
    [
        "stages.rate=nan",
        "stages.rate=inf",
        "stages.listwise_weight=nan",
        "weight_decay=nan",
        "table_share=-1",
    ],
)
def test_a_setting_that_is_no_number_is_refused(given: Inputs, tmp_path: Path, change: str) -> None:
    with pytest.raises(ConfigError, match="must "):
        tune(given, tmp_path / "run", override(SftConfig(), [change]))
    assert not (tmp_path / "run").exists()


def pool(labels: list[int], backwards: bool = False) -> JudgedQuery:
    names = [f"p{number}" for number in range(len(labels))]
    return JudgedQuery(
        query_id="q",
        query="x",
        posting_ids=tuple(names[::-1] if backwards else names),
        labels=tuple(labels),
        soft_labels=tuple(label / 4 for label in labels),
    )


class Fixed:
    """A system that gives each item one and the same score."""

    name = "fixed"
    settings: ClassVar[dict[str, Any]] = {}

    def __init__(self, value: float) -> None:
        self._value = value

    def score_many(self, queries: Any, items: Any, tell: Any) -> list[Any]:
        del items, tell
        return [np.full(len(query.labels), self._value) for query in queries]


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("labels", [[4, 4, 0, 0, 0, 0], [0, 0, 0, 0, 4, 4]])
def test_constant_scores_earn_what_a_random_order_earns(labels: list[int], backwards: bool) -> None:
    query = pool(labels, backwards)
    wanted = random_order([query], MetricConfig()).figures
    found = system_result(Fixed(3.5), [query], {}, MetricConfig(), lambda _: None)
    assert found.figures == pytest.approx(wanted)
    assert earned_ndcg(np.zeros(6), labels) == pytest.approx(wanted[0, 0])
    assert found.ties.all_items == 1


def test_tied_items_earn_the_mean_over_their_orders_and_others_what_they_did() -> None:
    grades, names = [4, 0, 3, 1], ["a", "b", "c", "d"]
    scores = np.array([2.0, 2.0, 1.0, 0.0])
    orders = [np.array([2.1, 2.0, 1.0, 0.0]), np.array([2.0, 2.1, 1.0, 0.0])]
    mean = np.mean([query_ndcg(order, grades, names) for order in orders])
    assert earned_ndcg(scores, grades) == pytest.approx(mean)
    assert earned_ndcg(orders[0], grades) == pytest.approx(query_ndcg(orders[0], grades, names))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_end_an_evaluation(value: float) -> None:
    with pytest.raises(ConfigError, match="fixed gives no number for posting 'p0' of query 'q'"):
        system_result(Fixed(value), [pool([4, 0])], {}, MetricConfig(), lambda _: None)


def test_a_model_whose_scores_are_not_finite_cannot_be_measured_or_written(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "dense", byte_level_tokenizer())
    source = pruning.load(path)
    with torch.no_grad():
        source.model.model.norm.weight[3] = math.nan
    with pytest.raises(ConfigError, match="1 of 1 pairs no finite score"):
        TransformersScorer(source.model, Prompter.from_dir(path)).differences([("nurse", [item()])])
    made = LineageStep(what="x", command="x", parent="dense", parent_sha256="0")
    with pytest.raises(ConfigError, match=r"model\.norm\.weight are not finite"):
        pruning.save(source, tmp_path / "small", made)
    assert not (tmp_path / "small").exists()


def item() -> Any:
    from models.prompts import Item

    return Item(title="Nurse", company=None, location=None, employment_type=None, remote=None, text="")


def test_activations_that_are_not_finite_are_not_pruned_by(tmp_path: Path) -> None:
    source = pruning.load(write_checkpoint(tmp_path / "dense", byte_level_tokenizer()))
    with torch.no_grad():
        source.model.model.layers[0].mlp.up_proj.weight.mul_(1e38)
    prompts = CalibrationSet([[number % 300, 3, 4, number % 7, 9] for number in range(60)])
    with pytest.raises(ConfigError, match=r"layer 0: what its MLP gets .* is not finite"):
        prune_mlps(source.model, prompts, MemoryStates(), MlpPruning(keep=0.25))


def test_a_program_ends_by_an_error_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, told_in_one_line():
        raise TrainingDiverged("step 3: the loss is nan")
    assert (ended.value.code, capsys.readouterr().err) == (1, "error: step 3: the loss is nan\n")


def test_a_scan_rewards_no_model_that_scores_all_items_alike(tmp_path: Path) -> None:
    from training.judging.records import Judged

    path = write_checkpoint(tmp_path / "dense", byte_level_tokenizer())
    source = pruning.load(path)
    with torch.no_grad():
        source.model.lm_head.weight.zero_()
    judged = Judged(query="x", items=(item(),) * 4, grades=(0, 0, 0, 4), posting_ids=("a", "b", "c", "z"))
    (value,) = ndcgs([judged], Prompter.from_dir(path))(source.model)
    assert value == pytest.approx(earned_ndcg(np.zeros(4), [0, 0, 0, 4])) == pytest.approx(0.640, abs=1e-3)


def test_the_tiny_models_are_not_saved_with_weights_that_are_not_finite(tmp_path: Path) -> None:
    model = tiny_checkpoint.new_model(
        np.ones((40, tiny_checkpoint.HIDDEN), np.float32),
        tiny_checkpoint.TinyShape(layers=1, heads=4, mlp=8),
        torch.Generator().manual_seed(0),
    )
    with torch.no_grad():
        model.model.norm.weight[0] = math.nan
    with pytest.raises(TrainingDiverged, match=r"model\.norm\.weight are not finite"):
        tiny_checkpoint.save(model, word_piece_tokenizer(), tmp_path / "out", "ranker@1")
    assert not (tmp_path / "out").exists()


def test_weights_over_the_range_of_the_type_they_are_saved_in_are_found() -> None:
    wide = {"w": torch.tensor([3.4e38])}
    check_weights(wide)
    with pytest.raises(TrainingDiverged, match="the weights w are not finite"):
        check_weights({name: value.to(torch.bfloat16) for name, value in wide.items()})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("grade", "NaN"),
        ("grade", "Infinity"),
        ("grade", "1e999"),
        ("soft_label", "NaN"),
        ("soft_label", "-1e999"),
    ],
)
def test_a_judged_file_with_no_number_names_its_row(tmp_path: Path, field: str, value: str) -> None:
    good = json.dumps({"query": "nurse", "items": [{"id": "a", "grade": 4}]})
    fields = {"grade": "3", "soft_label": "0.5", field: value}
    bad = ", ".join(f'"{name}": {text}' for name, text in fields.items())
    (tmp_path / "judged.jsonl").write_text(
        good + '\n{"query": "cook", "items": [{"id": "b", ' + bad + "}]}\n"
    )
    with pytest.raises(ConfigError, match=f"line 2, item 1: {field}"):
        read_judged_queries(tmp_path / "judged.jsonl")
