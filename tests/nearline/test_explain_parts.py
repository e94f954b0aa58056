"""Which system `nearline explain` reads, and what it says of one that is not there; no broker is needed."""

import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from nearline.cli.app import run
from nearline.cli.explain_parts import Addresses, ExplainedSystem, addresses
from nearline.stack.settings import StackSettings
from nearline.stack.tools import free_port
from schemas.errors import ConfigError
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
    found = addresses(ExplainedSystem(), local.home, {"NEARLINE_KAFKA_BOOTSTRAP": "elsewhere:1"})
    assert found == Addresses(
        kafka=KafkaSettings(bootstrap=local.bootstrap),
        registry=RegistrySettings(),
        store_url=local.store_url,
        cache_url=local.cache_url,
        ranker_url="instant:",
        tokenizer=None,
    )
    other = addresses(ExplainedSystem(ranker="http://r:1", tokenizer=Path("dir")), local.home, {})
    assert (other.ranker_url, other.tokenizer, other.store_url) == (
        "http://r:1",
        Path("dir"),
        local.store_url,
    )


def test_the_embedder_and_its_similarity_are_the_stacks_unless_they_are_named(
    tmp_path: Path, store: str
) -> None:
    local = replace(stack(tmp_path / "home"), embedder="http://e:1")
    local.save()
    assert addresses(ExplainedSystem(), local.home, {}).embedder_url == "http://e:1"
    off = addresses(ExplainedSystem(embedder="", similarity=0.7), local.home, {})
    assert (off.embedder_url, off.similarity) == ("", 0.7)
    deployed = ExplainedSystem(bootstrap="k:1", store=store, ranker="instant:", embedder="http://e:2")
    assert addresses(deployed, None, {}).embedder_url == "http://e:2"


def test_a_deployed_systems_addresses_come_from_options_and_logins_from_the_environment(store: str) -> None:
    named = ExplainedSystem(
        bootstrap="k:1,k:2", store=store, ranker="instant:", schema_registry="http://r:8081"
    )
    found = addresses(named, None, {AUTH: "user:secret", "NEARLINE_KAFKA_SECURITY_PROTOCOL": "SSL"})
    assert (found.kafka.bootstrap, found.kafka.security_protocol) == ("k:1,k:2", "SSL")
    assert found.registry == RegistrySettings(url="http://r:8081", auth="user:secret")
    assert (found.store_url, found.cache_url) == (store, "memory:")
    from_env = addresses(
        ExplainedSystem(store=store, ranker="instant:"), None, {"NEARLINE_KAFKA_BOOTSTRAP": "env:1"}
    )
    assert from_env.kafka.bootstrap == "env:1"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (ExplainedSystem(bootstrap="k:1"), "needs --store and --ranker too"),
        (ExplainedSystem(bootstrap="k:1", ranker="instant:"), "needs --store too"),
        (ExplainedSystem(store="lmdb:///s"), "needs --ranker too"),
        (ExplainedSystem(bootstrap="k:1", store="memory:", ranker="instant:"), "new and empty store"),
        (
            ExplainedSystem(bootstrap="k:1", store="lmdb:///no/such", ranker="instant:"),
            "--store .*no LMDB store is in /no",
        ),
        (ExplainedSystem(bootstrap="k:1", store="lmdb://relative", ranker="instant:"), "absolute path"),
    ],
)
def test_options_that_cannot_work_are_named(named: ExplainedSystem, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        addresses(named, None, {})


def test_a_local_stack_and_a_deployed_system_cannot_both_be_named() -> None:
    with pytest.raises(ConfigError, match="--home is a local stack"):
        addresses(ExplainedSystem(bootstrap="k:1"), Path("home"), {})


def test_a_score_cache_that_is_not_there_is_named_and_not_made(store: str, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(ConfigError, match="--cache"):
        addresses(ExplainedSystem(store=store, ranker="instant:", cache=f"lmdb://{cache}"), None, {})
    assert not cache.exists()


def explain(*arguments: str) -> int:
    """The exit status of a command that ends with an error."""
    with pytest.raises(SystemExit) as ended:
        run(["explain", "search", "posting", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_setting_that_cannot_work_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, said in (
        (["--home", str(tmp_path / "none")], "no stack was started here"),
        (["--bootstrap", "k:1"], "needs --store and --ranker too"),
        (["--bootstrap", "k:1", "--store", "couchbse:", "--ranker", "instant:"], "known are memory:"),
    ):
        status, shown = explain(*arguments), capsys.readouterr()
        assert (status, shown.out, shown.err.count("\n")) == (2, "", 1)
        assert said in shown.err


def test_a_ranker_without_its_tokenizer_is_a_setting_that_cannot_work(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = explain("--bootstrap", "k:1", "--store", store, "--ranker", "http://127.0.0.1:1")
    said = capsys.readouterr().err
    assert (status, said.count("\n")) == (2, 1)
    assert "needs the tokenizer" in said


def test_brokers_that_are_not_there_are_an_outage_that_says_what_to_do(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bootstrap = f"127.0.0.1:{free_port()}"
    assert explain("--bootstrap", bootstrap, "--store", store, "--ranker", "instant:") == 1
    assert re.search(f"{bootstrap}.*give their address by --bootstrap", capsys.readouterr().err)
