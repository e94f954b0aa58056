"""No input makes a reader raise an error without a type: some thousand inputs here, a million by `make fuzz-inputs`."""

import pytest

from tests.field.fuzz_inputs import TARGETS, run


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_a_reader_is_given_it_raises_typed_errors_only(name: str) -> None:
    few = {"files of lines": 60, "catalogs": 100}
    assert run(name, few.get(name, 1_500), 1) >= 60
