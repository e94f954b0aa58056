"""Which system `nearline explain` reads, and what it says of one that is not there; no broker is needed."""

from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from nearline.cli.app import app
from nearline.cli.explain_parts import Addresses, Named, addresses
from nearline.stack.settings import StackSettings
from nearline.stack.tools import free_port
from schemas.errors import BrokersUnavailable, ConfigError
from storage.opening import open_store
from streaming.kafka.framing import AUTH, RegistrySettings
from streaming.kafka.settings import KafkaSettings


@pytest.fixture
def store(tmp_path: Path) -> str:
    url = f"lmdb://{tmp_path}/store"
    with closing(open_store(url)) as kv:
        kv.put_many([(b"key", b"value")])
    return url


def stack(home: Path) -> StackSettings:
    """A local stack that was started in `home`, with its stores."""
    made = StackSettings(home=home, models="instant")
    made.save()
    for url in (made.store_url, made.cache_url):
        with closing(open_store(url)) as kv:
            kv.put_many([(b"key", b"value")])
    return made


def test_without_addresses_it_is_the_local_stacks_and_one_option_replaces_one_of_them(tmp_path: Path) -> None:
    local = stack(tmp_path / "home")
    found = addresses(Named(home=local.home), {"NEARLINE_KAFKA_BOOTSTRAP": "elsewhere:1"})
    assert found == Addresses(
        kafka=KafkaSettings(bootstrap=local.bootstrap),
        registry=RegistrySettings(),
        store_url=local.store_url,
        cache_url=local.cache_url,
        ranker_url="instant:",
        tokenizer=None,
    )
    other = addresses(Named(home=local.home, ranker="http://r:1", tokenizer=Path("dir")), {})
    assert (other.ranker_url, other.tokenizer, other.store_url) == (
        "http://r:1",
        Path("dir"),
        local.store_url,
    )


def test_a_deployed_systems_addresses_come_from_options_and_logins_from_the_environment(store: str) -> None:
    named = Named(bootstrap="k:1,k:2", store=store, ranker="instant:", schema_registry="http://r:8081")
    found = addresses(named, {AUTH: "user:secret", "NEARLINE_KAFKA_SECURITY_PROTOCOL": "SSL"})
    assert (found.kafka.bootstrap, found.kafka.security_protocol) == ("k:1,k:2", "SSL")
    assert found.registry == RegistrySettings(url="http://r:8081", auth="user:secret")
    assert (found.store_url, found.cache_url) == (store, "memory:")
    from_env = addresses(Named(store=store, ranker="instant:"), {"NEARLINE_KAFKA_BOOTSTRAP": "env:1"})
    assert from_env.kafka.bootstrap == "env:1"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (Named(bootstrap="k:1"), "needs --store and --ranker too"),
        (Named(bootstrap="k:1", ranker="instant:"), "needs --store too"),
        (Named(store="lmdb:///s"), "needs --ranker too"),
        (Named(bootstrap="k:1", home=Path("home")), "--home is a local stack"),
        (Named(bootstrap="k:1", store="memory:", ranker="instant:"), "new and empty store"),
        (
            Named(bootstrap="k:1", store="lmdb:///no/such", ranker="instant:"),
            "--store .*no LMDB store is in /no",
        ),
        (Named(bootstrap="k:1", store="lmdb://relative", ranker="instant:"), "absolute path"),
    ],
)
def test_options_that_cannot_work_are_named(named: Named, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        addresses(named, {})


def test_a_score_cache_that_is_not_there_is_named_and_not_made(store: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(ConfigError, match="--cache"):
        addresses(Named(store=store, ranker="instant:", cache=f"lmdb://{cache}"), {})
    assert not cache.exists()


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain", "search", "posting", *arguments], catch_exceptions=False)


def test_a_setting_that_cannot_work_is_one_line_and_status_2(tmp_path: Path) -> None:
    for arguments, said in (
        (["--home", str(tmp_path / "none")], "no stack was started here"),
        (["--bootstrap", "k:1"], "needs --store and --ranker too"),
        (["--bootstrap", "k:1", "--store", "couchbse:", "--ranker", "instant:"], "known are memory:"),
    ):
        found = explain(*arguments)
        assert (found.exit_code, found.stdout, found.stderr.count("\n")) == (2, "", 1)
        assert said in found.stderr


def test_a_ranker_without_its_tokenizer_is_a_setting_that_cannot_work(store: str) -> None:
    found = explain("--bootstrap", "k:1", "--store", store, "--ranker", "http://127.0.0.1:1")
    assert (found.exit_code, found.stderr.count("\n")) == (2, 1)
    assert "needs the tokenizer" in found.stderr


def test_brokers_that_are_not_there_are_an_outage_that_says_what_to_do(store: str) -> None:
    bootstrap = f"127.0.0.1:{free_port()}"
    with pytest.raises(BrokersUnavailable, match=f"{bootstrap}.*give their address by --bootstrap"):
        explain("--bootstrap", bootstrap, "--store", store, "--ranker", "instant:")
