"""A pair alerts once an opening whatever is lost: offsets, the topic of requests, a part of the cluster (ADR 15).

Alerts are counted as their readers saw them: those that a restored cluster has lost were seen.
"""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.keys import alert_id
from schemas.records import State
from storage.ledger import AlertLedger
from storage.ledger_entry import Sent
from tests.streaming.alerting.play import Copy, Killed, Play, World

STEPS = ["after-ledger", "after-commit"]


def fill(world: World, count: int = 20) -> None:
    for number in range(count):
        world.store(number)
        world.request("a", number)


@pytest.mark.parametrize("kill_at", ["", *STEPS])
def test_a_group_that_lost_its_offsets_alerts_no_pair_twice_and_leaves_none_out(kill_at: str) -> None:
    world = World()
    fill(world)
    world.kill_at = kill_at
    loop, _ = world.start()
    try:
        world.turns(loop)
    except Killed:
        world.kill_at = ""
    world.committed.clear()
    loop, _ = world.start()
    world.turns(loop)
    assert world.pairs() == {("a", f"p{number}"): 1 for number in range(20)}
    assert world.lag() == 0


@pytest.mark.parametrize("running", [True, False])
def test_a_topic_of_requests_that_is_created_anew_brings_no_alert_a_second_time(running: bool) -> None:
    world = World()
    fill(world, 12)
    loop, _ = world.start()
    world.turns(loop)
    world.topic.create_anew()
    world.committed.clear()
    if not running:
        loop, _ = world.start()
    world.turns(loop, 1)
    fill(world, 15)  # the matcher asks for every pair again, at the same partitions and offsets as before
    world.turns(loop)
    assert world.pairs() == {("a", f"p{number}"): 1 for number in range(15)}


@pytest.mark.parametrize("running", [True, False])
def test_a_cluster_restored_from_an_older_copy_repeats_no_alert_that_was_seen(running: bool) -> None:
    world = World()
    fill(world, 5)
    loop, _ = world.start()
    world.turns(loop)
    copy = Copy([list(m) for m in world.topic.partitions], dict(world.committed), list(world.out))
    fill(world, 12)
    world.turns(loop)
    world.restore(copy)
    if not running:
        loop, _ = world.start()
    world.turns(loop, 1)
    fill(world, 14)
    world.turns(loop)
    assert world.pairs() == {("a", f"p{number}"): 1 for number in range(14)}


def test_a_request_that_expired_after_its_consumer_died_keeps_its_pair_from_nothing() -> None:
    world = World()
    fill(world, 1)
    world.kill_at = "after-ledger"
    loop, _ = world.start()
    with pytest.raises(Killed):
        world.turns(loop)
    world.topic.create_anew()  # as if the messages' retention had passed
    loop, _ = world.start()
    world.turns(loop)
    fill(world, 1)
    world.turns(loop)
    assert world.pairs() == {("a", "p0"): 1}


LOSSES = [(loss, restart, "") for loss in ("lose offsets", "create anew", "restore") for restart in (0, 1)]
ACTIONS = st.lists(
    st.one_of(
        st.sampled_from(
            [("write", n, kind) for n in (0, 1) for kind in ("passes", "passes", "fails", "closed")]
        ),
        st.sampled_from([("turns", count, "") for count in (1, 4, 8)]),
        st.sampled_from([("kill", 0, step) for step in STEPS]),
        st.sampled_from([*LOSSES, ("copy", 0, ""), ("kill", 0, ""), ("refuse", 2, ""), ("repeat", 0, "")]),
    ),
    min_size=6,
    max_size=24,
)


class LossyPlay(Play):
    """A consumer's life in a cluster that loses data. `excused`: alerts that nobody can know to be sent any more."""

    def __init__(self) -> None:
        super().__init__()
        self.excused: Counter[str] = Counter()
        self.copy = Copy([[], []], {}, [])

    def act(self, action: str, number: int, detail: str) -> None:
        world = self.world
        match action:
            case "lose offsets":
                world.committed.clear()
            case "create anew":
                world.topic.create_anew()
                world.committed.clear()
            case "copy":
                self.copy = Copy(
                    [list(m) for m in world.topic.partitions], dict(world.committed), list(world.out)
                )
            case "restore":
                self.restore()
            case _:
                super().act(action, number, detail)
                return
        if number and action != "copy":
            self.start()

    def restore(self) -> None:
        """The store's mark and the topic's message are both missing only after a death right between the two."""
        seen = len(self.world.lost)
        self.world.restore(self.copy)
        for message in self.world.lost[seen:]:
            name = (message.key or b"").decode()
            (entry,) = AlertLedger(self.world.kv).entries([name])
            if entry is None or entry.sent is not Sent.SENT:
                self.excused[name] += 1

    def end(self) -> None:
        """The matcher asks for every open pair again, as it does when it sees a loss."""
        self.start()
        for number in range(2):
            held = self.held(number)
            if held is not None and held.state is State.OPEN:
                self.request(number)
        super().end()


@pytest.mark.timeout(60)
@settings(max_examples=300, deadline=None)
@given(ACTIONS)
def test_whatever_is_lost_each_pair_that_passes_in_the_end_alerts_once_in_its_opening(
    actions: list[tuple[str, int, str]],
) -> None:
    play = LossyPlay()
    for action in actions:
        play.act(*action)
    play.end()
    seen = Counter(alert.alert_id for alert in play.world.alerts())
    assert all(count <= 1 + play.excused[name] for name, count in seen.items())
    for held in filter(None, (play.held(number) for number in range(2))):
        if held.state is State.OPEN and held.title == "nurse":
            for search_id in "ab":
                assert seen[alert_id(search_id, held.posting_id, held.episode)] >= 1
    assert play.world.lag() == 0
