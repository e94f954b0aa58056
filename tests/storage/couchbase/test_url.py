import pytest

from schemas.errors import ConfigError
from storage.couchbase.url import PASSWORD, USERNAME, CouchbaseSettings, for_cache, with_login, without_login

LOGIN = {USERNAME: "an@user", PASSWORD: "p/w:d?"}


def test_a_url_names_the_place_and_who_logs_in() -> None:
    made = CouchbaseSettings.from_url("couchbases://u:p%40ss@a:11207,b/bucket/jobs/features?timeout_ms=1500")
    assert (made.hosts, made.bucket, made.scope, made.collection) == (
        "couchbases://a:11207,b",
        "bucket",
        "jobs",
        "features",
    )
    assert (made.username, made.password, made.timeout_s) == ("u", "p@ss", 1.5)
    assert made.place == "couchbases://a:11207,b/bucket/jobs/features"
    assert "p@ss" not in repr(made)


def test_without_options_writes_are_durable_and_a_cache_is_quick_and_tries_once() -> None:
    features = CouchbaseSettings.from_url("couchbase://u:p@host/b")
    cache = CouchbaseSettings.from_url(for_cache("couchbase://u:p@host/b?durability=majority&scan=views"))
    assert (features.durability, features.scan, features.attempts) == ("majority", "range", 4)
    assert (cache.durability, cache.scan, cache.attempts) == ("none", "views", 1)
    assert cache.timeout_s <= 0.2 < features.timeout_s


def test_the_login_comes_from_the_environment_unless_the_url_has_one() -> None:
    url = with_login("couchbase://host:1/bucket?scan=views", LOGIN)
    made = CouchbaseSettings.from_url(url)
    assert (made.username, made.password, made.hosts) == ("an@user", "p/w:d?", "couchbase://host:1")
    assert without_login(url) == "couchbase://host:1/bucket?scan=views"
    assert with_login("couchbase://u:p@host/b", LOGIN) == "couchbase://u:p@host/b"
    assert with_login("lmdb:///path", LOGIN) == "lmdb:///path"


def test_a_variable_that_means_nothing_is_named() -> None:
    with pytest.raises(ConfigError, match="NEARLINE_COUCHBASE_PASS is not a setting"):
        with_login("couchbase://host/b", {"NEARLINE_COUCHBASE_PASS": "x"})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("couchbase://u:secret@host", "couchbase://host/bucket"),
        ("couchbase://u:secret@/bucket", "couchbase://host/bucket"),
        ("couchbase://u:secret@host/bucket/scope", "scope/collection"),
        ("couchbase://u:secret@host:kv/bucket", "with :port"),
        ("couchbase://u:secret@host,,other/bucket", "with :port"),
        ("couchbase://host/bucket", USERNAME),
        ("couchbase://secret@host/bucket", PASSWORD),
        ("couchbase://u:secret@host/bucket?durabilty=none", "unknown option 'durabilty'"),
        ("couchbase://u:secret@host/bucket?durability=all", "persist_to_majority"),
        ("couchbase://u:secret@host/bucket?timeout_ms=2s", "milliseconds"),
        ("couchbase://u:secret@host/bucket/s/c?scan=views", "default collection"),
    ],
)
def test_a_url_that_cannot_work_is_refused_without_showing_the_password(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        CouchbaseSettings.from_url(url)
    assert "secret" not in str(refused.value)
