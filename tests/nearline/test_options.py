from pathlib import Path

import pytest

from nearline.cli.options import checked, kafka
from nearline.stack.settings import StackSettings
from schemas.errors import ConfigError
from streaming.kafka.settings import KafkaSettings


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("couchbse", "known are memory:, lmdb:///directory and couchbase://host/bucket"),
        ("couchbase://host", "couchbase://host/bucket"),
        ("couchbase://host/bucket", "NEARLINE_COUCHBASE_USERNAME"),
        ("lmdb://relative/path", "absolute path"),
    ],
)
def test_a_store_that_cannot_work_is_refused_before_anything_starts(store: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        checked(StackSettings(models="instant", store=store))


def test_a_couchbase_stack_keeps_its_cache_in_the_same_place_with_a_caches_patience() -> None:
    stack = checked(StackSettings(models="instant", store="couchbase"))
    assert stack.store_url.startswith("couchbase://features:nearline@127.0.0.1:29011/features?")
    assert (
        stack.cache_url == "couchbase://features:nearline@127.0.0.1:29011/features?scan=views&purpose=cache"
    )


def test_two_urls_name_the_ranker_and_the_summarizer_and_one_names_both() -> None:
    two = checked(StackSettings(models="http://r:1,http://s:2"))
    assert (two.ranker_url, two.summarizer_url) == ("http://r:1", "http://s:2")
    one = checked(StackSettings(models="http://both:3"))
    assert (one.ranker_url, one.summarizer_url) == ("http://both:3", "http://both:3")
    assert checked(StackSettings(models="instant")).ranker_url == "instant:"


def test_an_adapter_is_for_smollm2_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--adapter is for --models smollm2"):
        checked(StackSettings(adapter=tmp_path))
    assert StackSettings(models="smollm2").hosts_models


def test_brokers_that_are_named_are_reached_by_tls_and_sasl_and_the_local_stacks_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_USERNAME": "u", "SASL_PASSWORD": "p"}.items():
        monkeypatch.setenv(f"NEARLINE_KAFKA_{name}", value)
    named = kafka("k:1", None)
    assert (named.bootstrap, named.security_protocol, named.sasl_username) == ("k:1", "SASL_SSL", "u")
    StackSettings(home=tmp_path).save()
    assert kafka(None, tmp_path) == KafkaSettings(bootstrap="127.0.0.1:29092")
