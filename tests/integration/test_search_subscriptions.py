"""`nearline searches add` and `drop` on a real broker: a search in free words comes onto the topic and leaves it."""

from contextlib import closing

import pytest
from typer.testing import CliRunner

from nearline.cli.app import app
from schemas.errors import ConfigError
from schemas.records import SavedSearch
from streaming.kafka.framing import RegistrySettings, open_codec
from streaming.searches.current import current_search
from tests.integration.kafka_stage import Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
TEXT = "part-time barista near Leeds, no weekends"


def searches(stage: Stage, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["searches", *arguments, "--bootstrap", stage.kafka.bootstrap])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def subscribed(stage: Stage, search_id: str) -> SavedSearch:
    with closing(open_codec(RegistrySettings())) as codec:
        return current_search(stage.kafka, codec, search_id)


def test_a_search_in_free_words_is_subscribed_replaced_and_dropped(stage: Stage) -> None:
    told = searches(stage, "add", TEXT, "--id", "mine", "--threshold", "0.7")
    assert "search mine is subscribed, threshold 0.7" in told
    found = subscribed(stage, "mine")
    assert (found.query, found.location, found.must_not) == ("barista", "Leeds", ("weekends",))
    searches(stage, "add", TEXT, "--id", "mine", "--drop", "must_not", "--top-k", "3")
    assert (subscribed(stage, "mine").must_not, subscribed(stage, "mine").top_k) == ((), 3)
    searches(stage, "drop", "mine")
    with pytest.raises(ConfigError, match="no saved search 'mine'"):
        subscribed(stage, "mine")
