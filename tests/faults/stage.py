"""What a fault test does with a stack: start it, put it under load, and compare its end with an undisturbed run.

PORT_BASE sets the ports, so that several runs can go on at once, SEED the moments.
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from models.client.remote import HttpRanker, HttpSummarizer, open_ranker, open_summarizer
from nearline.cli.options import CHECKPOINTS
from nearline.stack import daemon
from nearline.stack.settings import StackSettings
from pipeline.local import LocalPath
from schemas.records import FeatureRecord
from storage.features import FeatureStore
from storage.memory import MemoryStore
from storage.opening import open_store
from storage.tools.dump import record_dict
from streaming.kafka.settings import KafkaSettings
from streaming.tools.observer import Seen
from tests.faults import verify, world

SEED = int(os.environ.get("SEED", "1"))
PORT_BASE = int(os.environ.get("PORT_BASE", "23000"))
TOKENIZER = CHECKPOINTS / "ranker-tiny"


@contextmanager
def running(settings: StackSettings) -> Iterator[StackSettings]:
    """The stack, up; afterwards down, with nothing left."""
    daemon.up(settings, timeout_s=600)
    try:
        yield settings
    finally:
        assert daemon.down(settings.home) == 0, "the stack left processes behind"


def stack_settings(tmp_path: Path, **changes: Any) -> StackSettings:
    """A stack with the instant models behind a server, which does not wait long between twenty deaths in a row."""
    usual: dict[str, Any] = {
        "home": tmp_path / "stack",
        "port_base": PORT_BASE,
        "models": "instant-server",
        "ranker_dir": TOKENIZER,
        "summarizer_dir": TOKENIZER,
        "checkpoint_s": 2.0,
        "max_backoff_s": 3.0,
        "page": False,
        "crash_at": f"@{tmp_path / 'order'}",
    }
    return StackSettings(**usual | changes)


def check(stack: StackSettings, load: world.Load) -> Seen:
    """Stop the load, wait for the end, and assert that store and alerts are as if nothing had happened."""
    sent = load.stop()
    with closing(world.await_end(stack, len(sent))) as observer:
        compare(stack, sent, verify.gather(KafkaSettings(bootstrap=stack.bootstrap)))
    return observer.seen


def compare(stack: StackSettings, sent: list[world.Event], evidence: verify.Evidence) -> None:
    """Assert that the store equals the fold of all that was sent, and that every pair has alerted once an opening."""
    summarizer = open_summarizer(stack.models_url, TOKENIZER)
    ranker = open_ranker(stack.models_url, TOKENIZER)
    assert isinstance(summarizer, HttpSummarizer)
    assert isinstance(ranker, HttpRanker)
    with closing(summarizer), closing(ranker), closing(open_store(stack.store_url)) as store:
        undisturbed = LocalPath(MemoryStore(time.time), summarizer, ranker)
        undisturbed.replay(sent)
        final = {record.posting_id: record for record in FeatureStore(store).scan()}
        assert _plain(final) == _plain({record.posting_id: record for record in undisturbed.features.scan()})
        stored = verify.stored_at(sent, summarizer, ranker)
        assert verify.broken_promises(evidence, final, world.sample_searches(), ranker, stored) == []
        assert evidence.alerts, "a run without alerts shows nothing"


def _plain(records: dict[str, FeatureRecord]) -> dict[str, dict[str, object]]:
    return {posting_id: record_dict(record) for posting_id, record in records.items()}
