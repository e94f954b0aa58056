"""The federal stream on the whole stack, in its order and in others: the store ends as a plain sequential fold."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from nearline.stack import daemon
from nearline.stack.settings import StackSettings
from schemas.events import read_events
from schemas.merge import is_current
from schemas.records import PostingUpdate
from storage.features import FeatureStore
from storage.opening import open_store
from streaming.kafka.settings import KafkaSettings
from streaming.tools.replay import replay_updates
from tests.faults import world
from tests.plain_fold import Final, plain_fold
from tests.support import data

STREAM = data.FOLDER / "stream_gov_tts.jsonl.gz"
pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(1800),
    data.needs_data(STREAM.name),
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackSettings]:
    settings = StackSettings(
        home=tmp_path_factory.mktemp("orders") / "stack", port_base=24500, models="instant", page=False
    )
    daemon.up(settings, timeout_s=600)
    yield settings
    assert daemon.down(settings.home) == 0


def test_every_order_of_the_federal_stream_ends_as_its_plain_fold(stack: StackSettings) -> None:
    events = [event for event in read_events(STREAM) if isinstance(event, PostingUpdate)]
    runs = {"": events} | {f"~{seed}": disturbed(events, seed) for seed in (1, 2, 3)}
    sent = [replace(e, posting_id=e.posting_id + mark) for mark, run in runs.items() for e in run]
    replay_updates(KafkaSettings(bootstrap=stack.bootstrap), enumerate(sent, start=1))
    observer = world.await_end(stack, len(sent))
    observer.close()
    assert sum(observer.seen.counts().values()) == len(sent)
    expected = {f"{name}{mark}": final for name, final in plain_fold(STREAM).items() for mark in runs}
    with closing(open_store(stack.store_url)) as store:
        records = list(FeatureStore(store).scan())
    assert all(map(is_current, records)), "a text still waits for its summary"
    stored = {
        record.posting_id: Final(record.version, record.state.value, record.episode, content)
        for record in records
        for content in [
            {
                "title": record.title,
                "company": record.company,
                "location": record.location,
                "employment_type": record.employment_type,
            }
        ]
    }
    gone = {"title": "", "company": None, "location": None, "employment_type": None}
    assert stored == {name: replace(final, content=final.content or gone) for name, final in expected.items()}


def disturbed(events: list[PostingUpdate], seed: int) -> list[PostingUpdate]:
    """Shuffled, a tenth of them twice, and the last fifth of all that replayed at the end."""
    rng = random.Random(seed)
    mixed = events + rng.sample(events, len(events) // 10)
    rng.shuffle(mixed)
    return mixed + mixed[-len(mixed) // 5 :]
