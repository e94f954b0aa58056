"""Two subtasks under a model that is too slow: nothing is lost, hardly anything done twice, the model is never idle.

Seconds are scaled: 0.5 s here stand for the job's deadline of 45 s. The server is ours, with an engine that sleeps.
"""

import functools
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from typing_extensions import override

from models.client.http import ClientConfig
from models.client.remote import HttpSummarizer
from models.engine.base import Generated, GenerateJob, ModelInfo
from models.engine.batcher import BatchConfig
from models.engine.instant import InstantEngine
from pipeline.control.rounds import in_rounds
from pipeline.featurize import Featurizer, FeaturizeSettings, OutcomeRow
from pipeline.outages import outlast
from schemas.records import Op, Outcome
from tests.models.running import running, serving
from tests.models.scripted import PROMPTER, Scripted, status
from tests.pipeline.builders import content, memory, rows, update

log = logging.getLogger(__name__)
pytestmark = pytest.mark.timeout(240)
DEADLINE_S = 0.5
SCALE = DEADLINE_S / 45
SUBTASKS, TEXTS = 2, 32
NEEDED_PER_S = SUBTASKS * TEXTS / DEADLINE_S
CONFIG = ClientConfig(
    attempt_s=12 * SCALE, watched_s=60 * SCALE, backoff_s=0.01, backoff_max_s=0.05, connect_s=2.0
)
#: What connections, the first measurement of the server's speed and a loaded machine's threads may take.
START_S = 0.5
#: A text is computed again only when the server needed longer for it than `watched_s`; the limit is halved then, and is
#: 1 after log2(16) = 4 such rounds.
MOST_TIMES = 1 + 4


class SlowEngine(InstantEngine):
    """Continues so many prompts a second, counts each, and stands still while `hangs`."""

    def __init__(self, per_s: float) -> None:
        super().__init__("summarizer@1")
        self.per_s = per_s
        self.computed: Counter[tuple[int, ...]] = Counter()
        self.goes = threading.Event()
        self.goes.set()

    @property
    @override
    def info(self) -> ModelInfo:
        """Has the vocabulary of the tests' tokenizer."""
        return ModelInfo(name="summarizer@1", vocab_size=PROMPTER.vocab_size, context_tokens=PROMPTER.budget)

    @override
    def generate_many(self, jobs: Sequence[GenerateJob]) -> list[Generated]:
        """Sleep, then answer."""
        self.goes.wait(20.0)
        time.sleep(len(jobs) / self.per_s)
        self.computed.update(tuple(job.prompt) for job in jobs)
        return [Generated(text="a ward", tokens=2, finish_reason="stop")] * len(jobs)


@contextmanager
def served(per_s: float) -> Iterator[tuple[SlowEngine, str]]:
    engine = SlowEngine(per_s)
    with serving(engine, batching=BatchConfig(batch_jobs=4)) as url:
        yield engine, url


def subtask(url: str, name: str, texts: Sequence[str], config: ClientConfig = CONFIG) -> list[OutcomeRow]:
    """The outcomes of one batch, as the feature job's function makes them."""
    batch = rows([update(f"{name}{n}", 1, Op.ADD, content("Nurse", text)) for n, text in enumerate(texts)])
    summarizer = HttpSummarizer(url, PROMPTER, config)
    try:
        featurizer = Featurizer(memory(), summarizer, FeaturizeSettings(deadline_s=DEADLINE_S))

        def patient(action: Callable[[], None]) -> None:
            outlast(action, max_backoff_s=60, sleep=lambda pause_s: time.sleep(pause_s * SCALE))

        return in_rounds(
            len(batch), lambda left: featurizer.featurize_ready([batch[i] for i in left]), patient
        )
    finally:
        summarizer.close()


def together(url: str) -> tuple[list[OutcomeRow], float]:
    """What two subtasks make of their batches, and the seconds that it took."""
    found: dict[int, list[OutcomeRow]] = {}

    def work(number: int) -> None:
        texts = [f"ward {number} bed {n}" for n in range(TEXTS)]
        found[number] = subtask(url, f"s{number}-", texts)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(SUBTASKS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    return [row for number in sorted(found) for row in found[number]], time.monotonic() - began


def of_texts(engine: SlowEngine) -> Counter[tuple[int, ...]]:
    """How often each text was computed; without the probes, which are prompts of a nurse's title alone."""
    return Counter(
        {ids: n for ids, n in engine.computed.items() if "bed" in PROMPTER._tokenizer.decode(list(ids))}
    )


def up_to_three_times(test: Callable[[], None]) -> Callable[[], None]:
    """Run a test again whose bounds on time and repetition a machine that stalls for a second breaks."""

    @functools.wraps(test)
    def tried() -> None:
        for _ in range(2):
            try:
                return test()
            except AssertionError as error:
                log.warning("tried again: %s", error)
        return test()

    return tried


@up_to_three_times
def test_at_a_tenth_of_the_needed_speed_every_text_is_summarized_at_nearly_the_servers_speed() -> None:
    per_s = NEEDED_PER_S / 10
    with served(per_s) as (engine, url):
        made, took_s = together(url)
        computed = of_texts(engine)
    assert [row.outcome for row in made] == [Outcome.SUMMARIZED] * SUBTASKS * TEXTS
    assert [row.posting_id for row in made] == [f"s{s}-{n}" for s in range(SUBTASKS) for n in range(TEXTS)]
    assert len(computed) == SUBTASKS * TEXTS
    assert max(computed.values()) <= MOST_TIMES
    assert sum(computed.values()) <= 1.25 * SUBTASKS * TEXTS
    assert took_s <= SUBTASKS * TEXTS / per_s / 0.8 + START_S


def test_a_server_that_hangs_and_goes_on_loses_nothing() -> None:
    with served(NEEDED_PER_S) as (engine, url):
        engine.goes.clear()
        threading.Timer(4 * DEADLINE_S, engine.goes.set).start()
        made = subtask(url, "p", [f"ward bed {n}" for n in range(TEXTS)])
        computed = of_texts(engine)
    assert [row.outcome for row in made] == [Outcome.SUMMARIZED] * TEXTS
    assert max(computed.values()) <= MOST_TIMES


@up_to_three_times
def test_the_limit_falls_while_the_server_is_slow_and_recovers_with_it() -> None:
    with served(NEEDED_PER_S / 10) as (engine, url):
        summarizer = HttpSummarizer(url, PROMPTER, CONFIG)
        try:
            summarizer.summarize_many([f"ward bed {n}" for n in range(TEXTS)], 4 * DEADLINE_S)
            fallen = summarizer.load()
            engine.per_s = 500.0
            until, turn = time.monotonic() + 15.0, 0
            while time.monotonic() < until:
                turn += 1
                time.sleep(SCALE)
                summarizer.summarize_many([f"ward bed {turn} {n}" for n in range(TEXTS)], DEADLINE_S)
                if summarizer.load().limit == CONFIG.concurrency:
                    break
            recovered = summarizer.load()
        finally:
            summarizer.close()
    assert fallen.limit < CONFIG.concurrency
    assert fallen.decreases > 0
    assert fallen.not_sent > 0
    assert recovered.limit == CONFIG.concurrency


@up_to_three_times
def test_a_server_that_refuses_everything_is_asked_less_and_less_and_loses_nothing() -> None:
    scripted = Scripted()
    refusing_until = time.monotonic() + 2 * DEADLINE_S
    scripted.hurt_by = lambda _: status(503) if time.monotonic() < refusing_until else None
    with running(scripted.app()) as url:
        made = subtask(url, "p", [f"ward bed {n}" for n in range(TEXTS)])
    assert [row.outcome for row in made] == [Outcome.SUMMARIZED] * TEXTS
    refused = scripted.count("/v1/completions") - TEXTS
    assert 0 < refused < 5 * CONFIG.concurrency


@up_to_three_times
def test_a_text_that_is_never_answered_becomes_a_dead_letter_and_holds_no_other_up() -> None:
    def hurt_by(body: Any) -> float | None:
        return 20.0 if "poison" in PROMPTER._tokenizer.decode(body["prompt"]) else 0.01

    scripted = Scripted(hurt_by=hurt_by)
    with running(scripted.app()) as url:
        texts = [f"ward bed {n}" for n in range(TEXTS)]
        made = subtask(url, "p", [*texts[:5], "poison", *texts[5:]])
    assert made[5].outcome is Outcome.DEAD_LETTERS
    assert {row.outcome for n, row in enumerate(made) if n != 5} == {Outcome.SUMMARIZED}
    asked = [PROMPTER._tokenizer.decode(body["prompt"]) for _, body, _ in scripted.seen if body]
    assert 3 <= sum("poison" in prompt for prompt in asked) <= 8, "more than 4 on a machine that is busy"
    assert sum("bed" in prompt for prompt in asked) == TEXTS
