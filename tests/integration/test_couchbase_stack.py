"""The whole local stack on Couchbase, by nothing but the store's URL."""

import shutil
from collections.abc import Iterator

import pytest

from nearline.stack import daemon, processes
from nearline.stack.settings import StackSettings
from tests.integration.test_stack import check_replay_with_kills, nearline

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def stack(stack_settings: StackSettings) -> Iterator[StackSettings]:
    home = stack_settings.home.with_name(stack_settings.home.name + "-couchbase")
    settings = StackSettings(
        home=home,
        port_base=stack_settings.port_base + 100,
        models="instant",
        parallelism=2,
        store="couchbase",
        checkpoint_s=2.0,
        page=False,
    )
    daemon.up(settings)
    yield settings
    left = daemon.down(home)
    assert (left, processes.marked(home)) == (0, [])
    shutil.rmtree(home)


def test_a_replay_with_kills_in_its_middle_ends_as_the_same_functions_in_one_process(
    stack: StackSettings,
) -> None:
    check_replay_with_kills(stack)
    assert len(nearline(stack, "store", "dump").stdout.splitlines()) > 60
    copied = nearline(stack, "store", "copy", "local", f"lmdb://{stack.home.resolve()}/copy")
    assert copied.returncode == 0, copied.stderr
    verified = nearline(stack, "store", "verify", "local", f"lmdb://{stack.home.resolve()}/copy")
    assert (verified.returncode, verified.stdout) == (0, '{"differences": 0}\n')
    shown = nearline(stack, "status").stdout
    assert "couchbase" in shown
    assert stack.store_url not in shown, "the login is not shown"
