"""Property tests look for wrong answers, not for slow ones: a shared machine stalls for seconds."""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--couchbase",
        default="",
        metavar="URL",
        help="run the store's suite against this server; it is emptied",
    )
