"""The status with which a program ends by an error."""

import pytest

from schemas.errors import BrokersUnavailable, ConfigError, StoreFull, exit_status


@pytest.mark.parametrize(
    ("error", "status"),
    [(ConfigError(), 2), (FileNotFoundError(), 2), (BrokersUnavailable(), 1), (StoreFull(), 1)],
)
def test_a_wrong_setting_or_a_missing_file_is_2_and_an_outage_is_1(error: Exception, status: int) -> None:
    assert exit_status(error) == status
