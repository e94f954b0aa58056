"""A calibration: its curve, its file, what is refused, and that the server applies it once."""

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest

from models.calibration import (
    FILE,
    CalibratedLabels,
    Calibration,
    is_calibrated,
    read_calibration,
    write_calibration,
)
from models.engine.base import ModelInfo
from models.engine.instant import InstantEngine
from models.server.config import Limits
from models.server.requests import ScoreBody
from models.server.score import score_answer, score_request
from schemas.errors import ConfigError

CURVE = Calibration(knots=((-2.0, -3.0), (0.0, -1.0), (2.0, 0.0)), threshold=0.7)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_the_curve_is_straight_between_knots_and_beyond_them() -> None:
    assert [CURVE.logit(x) for x in (-2.0, -1.0, 0.0, 1.0, 2.0)] == [-3.0, -2.0, -1.0, -0.5, 0.0]
    assert [CURVE.logit(x) for x in (-4.0, 6.0)] == [-5.0, 2.0]


def test_the_order_of_scores_is_kept() -> None:
    logits = [-200.0, -40.0, -2.0, -0.5, 0.0, 1.9, 2.1, 30.0]
    assert all(low < high for low, high in pairwise(map(CURVE.logit, logits)))
    assert CURVE.p_yes(1.0, 0.0) > CURVE.p_yes(1.0, 1e-30) > 0.99
    assert CURVE.p_yes(0.0, 1.0) < CURVE.p_yes(1e-30, 1.0) < 0.01


def test_labels_in_either_order_are_calibrated_and_others_are_not() -> None:
    held = CalibratedLabels(calibration=CURVE, label_ids=(7, 9))
    yes, no = held.scores([7, 9], [0.5, 0.5])
    assert yes == pytest.approx(1 / (1 + math.e))
    assert yes + no == pytest.approx(1)
    assert held.scores([9, 7], [0.5, 0.5]) == [no, yes]
    assert held.scores([7, 8], [0.5, 0.5]) == [0.5, 0.5]


def test_a_file_gives_back_what_was_written(checkpoint: Path) -> None:
    assert read_calibration(checkpoint) is None
    write_calibration(checkpoint, CURVE)
    assert read_calibration(checkpoint) == CURVE


def test_other_weights_make_a_calibration_stale(checkpoint: Path) -> None:
    write_calibration(checkpoint, CURVE)
    (checkpoint / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ConfigError, match=r"calibration\.json was fitted on other weights.*calibrate"):
        read_calibration(checkpoint)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"knots": [[0, 0]]}, "at least two"),
        ({"knots": [[0, 0], [1, 0]]}, "rise"),
        ({"knots": [[1, 0], [0, 1]]}, "rise"),
        ({"knots": [[0, 0], [1, float("nan")]]}, "finite"),
        ({"knots": "line"}, "is no calibration"),
        ({"knots": [[0, 0], [1, None]]}, "is no calibration"),
        ({"threshold": 1.5}, "between 0 and 1"),
        ({"threshold": float("nan")}, "between 0 and 1"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(
    checkpoint: Path, change: dict[str, object], said: str
) -> None:
    write_calibration(checkpoint, CURVE)
    path = checkpoint / FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConfigError, match=rf"calibration\.json .*{said}"):
        read_calibration(checkpoint)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "{"])
def test_a_damaged_file_is_refused(checkpoint: Path, text: str) -> None:
    (checkpoint / FILE).write_text(text)
    with pytest.raises(ConfigError, match=r"calibration\.json is no calibration"):
        read_calibration(checkpoint)


def test_another_curve_is_another_model_to_caches_and_another_threshold_is_not() -> None:
    other = Calibration(knots=((-2.0, -3.0), (2.0, 0.0)))
    assert CURVE.name("ranker@3") != other.name("ranker@3")
    assert CURVE.name("ranker@3") == Calibration(knots=CURVE.knots).name("ranker@3")
    assert is_calibrated(CURVE.name("ranker@3"))
    assert not is_calibrated("ranker@3")


def answer(info: ModelInfo, **asked: object) -> dict[str, object]:
    body = ScoreBody(query=[1, 2], items=[[1], [3]], label_token_ids=[7, 9], **asked)  # type: ignore[arg-type]
    engine = InstantEngine("ranker@3")
    scoring = score_request(body, engine, Limits(), 8_192)
    return score_answer(scoring, engine.score_many(scoring.jobs), info)


def test_the_server_calibrates_the_softmax_over_the_two_labels_and_nothing_else() -> None:
    held = CalibratedLabels(calibration=CURVE, label_ids=(7, 9))
    plain = ModelInfo(name="ranker@3", vocab_size=256, context_tokens=512)
    info = ModelInfo(name="named", vocab_size=256, context_tokens=512, calibrated=held)
    raw = answer(plain, apply_softmax=True)["scores"]
    assert isinstance(raw, list)
    found = answer(info, apply_softmax=True)
    assert found["scores"] == [held.scores([7, 9], row) for row in raw] != raw
    assert found["model"] == "named"
    for asked in ({"apply_softmax": False}, {"apply_softmax": True, "temperature": 2.0}):
        assert answer(info, **asked)["scores"] == answer(plain, **asked)["scores"]
    logs = {"apply_softmax": True, "return_token_logprobs": True}
    assert answer(info, **logs)["token_logprobs"] == answer(plain, **logs)["token_logprobs"]
