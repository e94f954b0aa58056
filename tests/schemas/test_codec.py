from hypothesis import given

from schemas.codec import decode, encode
from schemas.records import PostingUpdate
from tests.schemas.strategies import updates


@given(updates)
def test_every_update_comes_back_as_it_was(update: PostingUpdate) -> None:
    assert decode(PostingUpdate, encode(update)) == update
