from collections import Counter

import pytest

from schemas.codec import decode, encode
from schemas.events import BrokenLine, read_events
from schemas.records import PostingUpdate
from tests.schemas.histories import fold
from tests.support import data
from tests.support.data import needs_data

STREAMS = {
    "stream_gov_tts": (1465, {"add": 188, "update": 948, "remove": 132, "close": 125, "open": 72}),
    "stream_opensourcedesign": (581, {"add": 336, "update": 146, "remove": 13, "close": 84, "open": 2}),
    "stream_hn_reposts": (19821, {"add": 10209, "update": 6834, "repost": 2778}),
    "postings_nhs": (11665, {"add": 11665}),
}
pytestmark = [
    needs_data(*(f"{name}.jsonl.gz" for name in STREAMS)),
    pytest.mark.timeout(120),
]


@pytest.mark.parametrize("name", STREAMS)
def test_a_real_stream_goes_through_as_it_is_and_survives_the_wire(name: str) -> None:
    count, ops = STREAMS[name]
    found = list(read_events(data.FOLDER / f"{name}.jsonl.gz"))
    assert [each for each in found if isinstance(each, BrokenLine)] == []
    updates = [each for each in found if isinstance(each, PostingUpdate)]
    assert len(updates) == count
    assert Counter(update.op.value for update in updates) == ops
    assert len({(update.posting_id, update.version) for update in updates}) == count
    assert all(decode(PostingUpdate, encode(update)) == update for update in updates)


def test_no_time_of_the_federal_stream_is_out_of_order_as_an_instant() -> None:
    found = [
        each
        for each in read_events(data.FOLDER / "stream_gov_tts.jsonl.gz")
        if isinstance(each, PostingUpdate)
    ]
    by_posting: dict[str, list[PostingUpdate]] = {}
    for update in found:
        by_posting.setdefault(update.posting_id, []).append(update)
    for history in by_posting.values():
        assert [update.version for update in history] == sorted({update.version for update in history})
        assert fold(history)[0] == fold(history[::-1])[0]
