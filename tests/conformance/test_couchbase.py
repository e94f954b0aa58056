"""What only a real Couchbase can show: skipped on the test server, each with what that lacks."""

from contextlib import closing
from urllib.parse import urlsplit, urlunsplit

import pytest

from schemas.errors import ConfigError, StoreUnavailable
from storage.couchbase.url import DURABILITIES, without_login
from storage.opening import open_store

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

LACKS = {
    "test_a_wrong_password_says_what_to_do": "it checks no password on its key-value port",
    "test_every_durability_is_accepted": "it has no durable writes",
    "test_a_collection_that_does_not_exist_says_what_to_do": "it has the default collection only",
    "test_a_scan_without_option_is_a_range_scan": "it has no range scans",
}


@pytest.fixture
def real(request: pytest.FixtureRequest) -> str:
    """The URL of --couchbase."""
    given = str(request.config.getoption("--couchbase"))
    if not given:
        pytest.skip(f"the test server lacks this: {LACKS[request.node.originalname]}")
    return given


def test_a_wrong_password_says_what_to_do(real: str) -> None:
    parts = urlsplit(without_login(real))
    wrong = urlunsplit(parts._replace(netloc=f"nobody:wrong@{parts.netloc}"))
    with closing(open_store(wrong)) as store, pytest.raises(ConfigError, match="NEARLINE_COUCHBASE_PASSWORD"):
        store.get_many([b"k"])


@pytest.mark.parametrize("durability", DURABILITIES)
def test_every_durability_is_accepted(real: str, durability: str) -> None:
    with closing(open_store(urlunsplit(urlsplit(real)._replace(query=f"durability={durability}")))) as store:
        assert store.put_many([(b"k", b"1")]) == [None]
        assert store.merge_many([b"k"], lambda _key, stored: (stored or b"") + b"2") == [b"12"]


def test_a_collection_that_does_not_exist_says_what_to_do(real: str) -> None:
    parts = urlsplit(real)
    bucket = parts.path.strip("/").split("/")[0]
    elsewhere = urlunsplit(parts._replace(path=f"/{bucket}/_default/no_such_collection", query=""))
    with (
        closing(open_store(elsewhere)) as store,
        pytest.raises((ConfigError, StoreUnavailable), match="collection"),
    ):
        store.get_many([b"k"])


def test_a_scan_without_option_is_a_range_scan(real: str) -> None:
    with closing(
        open_store(urlunsplit(urlsplit(real)._replace(query="durability=persist_to_majority")))
    ) as store:
        store.put_many([(b"scanned/1", b"1"), (b"scanned/2", b"2")])
        assert [key for key, _ in store.scan(b"scanned/")] == [b"scanned/1", b"scanned/2"]
