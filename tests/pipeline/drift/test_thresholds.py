"""Thresholds are derived so that the streams they were derived from raise no alarm, and kept in the card."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.drift.measuring import Measured
from pipeline.drift.thresholds import Thresholds, derive, read_thresholds, write_thresholds
from pipeline.drift.window import Window
from schemas.errors import ConfigError


def measured(count: int, mean: float, seed: int = 1, *, bad: int = 0) -> list[Measured]:
    values = np.random.default_rng(seed).gamma(2.0, mean / 2.0, count)
    return [
        Measured(
            kl=float(value),
            unknown=float(value) / 10,
            flags=frozenset({"stuffed"} if at < bad else ()),
            text_tokens=100,
            summary_tokens=7,
        )
        for at, value in enumerate(values)
    ]


def exceeded(thresholds: Thresholds, found: list[Measured]) -> tuple[str, ...]:
    window = Window(thresholds)
    for one in found:
        window.add(one)
    return window.exceeded()


def test_streams_like_any_group_raise_no_alarm_and_worse_ones_do() -> None:
    groups = {"health": measured(150, 0.1), "general": measured(150, 0.2, bad=2)}
    thresholds = derive(groups)
    assert all(
        not exceeded(thresholds, measured(100, mean, seed)) for mean in (0.1, 0.2) for seed in range(2, 12)
    )
    assert exceeded(thresholds, measured(100, 0.4, 2)) == ("kl", "unknown")
    assert exceeded(thresholds, measured(100, 0.1, 2, bad=20)) == ("guarded",)


def test_fewer_postings_give_wider_thresholds() -> None:
    few, many = measured(400, 0.1)[:25], measured(400, 0.1)
    assert derive({"a": few}).guarded > derive({"a": many}).guarded


def test_too_few_postings_are_refused() -> None:
    with pytest.raises(ConfigError, match="health: 19 postings were measured, 20 are needed"):
        derive({"health": measured(19, 0.1)})


def test_the_card_keeps_thresholds_beside_what_it_said(tmp_path: Path) -> None:
    (tmp_path / "nearline.json").write_text('{"name": "summarizer@7", "kind": "extractive"}')
    assert read_thresholds(tmp_path) is None
    thresholds = derive({"a": measured(50, 0.1)}, ranker="ranker@3")
    write_thresholds(tmp_path, thresholds)
    assert read_thresholds(tmp_path) == thresholds
    card = json.loads((tmp_path / "nearline.json").read_text())
    assert (card["name"], card["drift"]["derived"]["ranker"]) == ("summarizer@7", "ranker@3")


@pytest.mark.parametrize(
    "section", ["[]", '{"window": 100}', '{"window": 0, "kl": 1, "unknown": 1, "guarded": 1}', '{"window": 9, "kl": NaN, "unknown": 1, "guarded": 1}']
)  # fmt: skip
def test_a_damaged_section_is_refused(tmp_path: Path, section: str) -> None:
    (tmp_path / "nearline.json").write_text(f'{{"drift": {section}}}')
    with pytest.raises(ConfigError, match="drift"):
        read_thresholds(tmp_path)
