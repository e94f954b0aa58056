from hypothesis import given
from hypothesis import strategies as st

from models.length_batches import length_batches

LENGTHS = st.lists(st.integers(1, 50), max_size=40)


@given(LENGTHS, st.integers(1, 200))
def test_every_row_is_in_one_batch_and_rows_come_shortest_first(
    lengths: list[int], batch_tokens: int
) -> None:
    rows = [row for batch in length_batches(lengths, batch_tokens) for row in batch]
    assert rows == sorted(range(len(lengths)), key=lambda row: (lengths[row], row))


@given(LENGTHS, st.integers(1, 200))
def test_no_padded_batch_exceeds_the_budget_but_one_long_row_alone(
    lengths: list[int], batch_tokens: int
) -> None:
    for batch in length_batches(lengths, batch_tokens):
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= batch_tokens


def test_a_batch_takes_as_many_rows_as_fit() -> None:
    assert list(length_batches([3, 1, 2, 9, 3], 6)) == [[1, 2], [0, 4], [3]]
    assert list(length_batches([], 6)) == []
