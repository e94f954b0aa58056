"""How all tests run: property tests without deadlines, and the long files first, so that no worker ends alone.

Property tests look for wrong answers, not for slow ones: a shared machine stalls for seconds.
"""

import gc

import pytest
from hypothesis import HealthCheck, settings

# Imports and collection make millions of objects that live to the end: looking through them finds nothing to free.
gc.disable()
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--couchbase",
        default="",
        metavar="URL",
        help="run the store's suite against this server; it is emptied",
    )


#: Files that wait for real clusters and outages, the longest first. A file stays on one worker (`--dist loadfile`).
LONGEST_FIRST = (
    "tests/integration/test_feature_job.py",
    "tests/training/sft/test_command.py",
    "tests/integration/test_stack.py",
    "tests/integration/test_backfill.py",
    "tests/integration/test_alert_consumer.py",
    "tests/integration/test_couchbase.py",
    "tests/integration/test_matcher.py",
)


def pytest_collection_finish() -> None:
    """Collect garbage from here on, without what was there before."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the long files to the front, then the other integration tests; the order within a file stays."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    file = item.nodeid.partition("::")[0]
    if file in LONGEST_FIRST:
        return LONGEST_FIRST.index(file)
    return len(LONGEST_FIRST) + (item.get_closest_marker("integration") is None)
