from collections import Counter

from benchmarks.common.updates import Feed, additions, events, messages
from schemas.codec import decode
from schemas.records import Op, PostingUpdate


def test_the_same_feed_comes_byte_for_byte_again() -> None:
    assert list(messages(Feed(updates=300, seed=3))) == list(messages(Feed(updates=300, seed=3)))


def test_shares_of_a_feed_are_the_whole_feed() -> None:
    feed = Feed(updates=500, boards=7)
    shared = [message for share in range(3) for message in messages(feed, share, 3)]
    assert Counter(shared) == Counter(messages(feed))


def test_a_feed_has_as_many_updates_as_asked() -> None:
    assert [len(list(messages(Feed(updates=n)))) for n in (0, 1, 15, 16, 17, 250)] == [0, 1, 15, 16, 17, 250]


def test_a_feed_has_every_operation_and_something_broken() -> None:
    seen = Counter(
        "broken" if isinstance(event, bytes) else event.op for event in events(Feed(updates=8_000))
    )
    assert set(seen) == {"broken", *Op}


def test_texts_have_about_a_kilobyte() -> None:
    sizes = [len(update.posting.description) for update in additions(200) if update.posting]
    assert 700 < sum(sizes) / len(sizes) < 1_400


def test_a_message_s_key_is_its_posting_s_id() -> None:
    for key, value in messages(Feed(updates=200)):
        if key is not None:
            assert decode(PostingUpdate, value).posting_id.encode() == key
