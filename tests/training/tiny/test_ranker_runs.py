"""A ranker's run counts its own processor time, stops at a signal with its state saved, and goes on from there."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from schemas.errors import ConfigError
from tests.support.vocabulary import small_vocabulary
from training.components.optimizer import Optimizer
from training.tiny.ranker.mix import mix_maker
from training.tiny.ranker.mix_config import MIXES, MixConfig
from training.tiny.ranker.pools import WindowStage
from training.tiny.ranker.progress import Progress, RunClock, RunHooks, RunStopped, load_state, steps_taken
from training.tiny.ranker.real_pool import MarkedPosting, Mention
from training.tiny.ranker.run import RankerRun, train_ranker_from
from training.tiny.ranker.views import SERVED, Views, ViewShares
from training.tiny.ranker.wording_files import WordingFiles

STAGE = WindowStage(start=0.0, windows=(16,), queries=1)


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_the_schedule_counts_processor_time_and_not_what_is_left_out() -> None:
    times = iter([100.0, 130.0, 200.0, 260.0, 280.0])
    clock = RunClock(0.25, 2.0, lambda: next(times))
    assert clock.spent() == pytest.approx(0.5)
    clock.leave_out(lambda: None)
    assert clock.spent() == pytest.approx(0.25 + (280 - 160) / 120)


@pytest.mark.timeout(60)
def test_a_run_stops_at_a_signal_with_its_state_saved_and_goes_on_from_it(tmp_path: Path) -> None:
    state, out = tmp_path / "state.pt", tmp_path / "ranker"
    seen: list[str] = []

    def report(line: str) -> None:
        seen.append(line)
        if line.startswith("step 0 "):
            os.kill(os.getpid(), signal.SIGTERM)

    mix = mix_maker(MixConfig(pool=60), [], WordingFiles(), None)
    run = RankerRun(minutes=60.0, steps=4, stages=(STAGE,))
    with pytest.raises(RunStopped) as stopped:
        train_ranker_from(*small_vocabulary(), mix, run, out, report=report, hooks=RunHooks(state=state))
    assert stopped.value.signal == signal.SIGTERM
    taken = steps_taken(state)
    assert 1 <= taken <= 2
    hooks = RunHooks(state=state, resume=True)
    rest = train_ranker_from(*small_vocabulary(), mix, run, out, report=lambda _: None, hooks=hooks)
    assert len(rest) == 4 - taken
    assert steps_taken(state) == 4
    assert (out / "model.safetensors").is_file()


def test_a_run_without_a_saved_state_is_not_resumed(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2)
    with pytest.raises(ConfigError, match="leave --resume out"):
        load_state(tmp_path / "none.pt", model, Optimizer(model))
    assert Progress() == Progress(step=0, spent=0.0)


def test_each_form_of_a_text_fits_its_window_and_lies_inside_the_text() -> None:
    spans = np.array([(n, n + 8, 0, 0) for n in range(0, 96, 8)])
    item = MarkedPosting(
        head=[1],
        ids=np.arange(100, dtype=np.int32),
        mentions=(),
        known=frozenset(),
        occupation="",
        place=None,
        clauses=spans,
    )
    wanted = [Mention(begin=18, end=20, tag="a"), Mention(begin=64, end=72, tag="b")]
    clauses = {(begin, end) for begin, end, _, _ in spans.tolist()}
    for name in ("start", "crop", "snippets", "clauses", "keywords", "first"):
        only = ViewShares(**{**dict.fromkeys(("start", "crop", "snippets"), 0.0), name: 1.0})
        views = Views(Random(2), only)
        for _ in range(40):
            pieces = views.of(item, wanted, 40)
            assert sum(end - begin for begin, end in pieces) <= 40
            assert pieces == sorted(pieces)
            assert all(0 <= begin < end <= 100 for begin, end in pieces)
            assert name not in ("clauses", "first") or set(pieces) <= clauses
    assert Views(Random(2), SERVED).of(item, wanted, 0) == []


def test_the_shares_of_a_mix_and_of_its_forms_sum_to_one() -> None:
    for mix in MIXES.values():
        assert mix.generated + mix.facets + mix.words + mix.sentences == pytest.approx(1)
        forms = mix.views
        assert forms.start + forms.crop + forms.snippets + forms.clauses + forms.keywords + forms.first == (
            pytest.approx(1)
        )
