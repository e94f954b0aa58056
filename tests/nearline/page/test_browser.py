"""The page in a real browser, with the demo's stream replayed behind it: what a person sees, types and hears."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from nearline.page.local import Event, LocalStage
from schemas.events import BrokenLine, read_events
from tests.nearline.page.browser import FAINT, NAMELESS, chromium
from tests.nearline.page.stage import SAMPLE, HandClock, sample, served, staged

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@dataclass(frozen=True)
class Seen:
    """A page in a browser, the stage behind it, and the clock that lets events come."""

    page: "Page"
    stage: LocalStage
    clock: HandClock
    complaints: list[str]

    def let(self, events: int) -> None:
        """Let so many events come in."""
        self.clock.passed_s += events

    def of(self, name: str) -> "Locator":
        """The section with this heading."""
        return self.page.get_by_role("region", name=name, exact=True)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as found:
        yield found


@contextmanager
def opened(browser: "Browser", events: Sequence[Event], *, kept: int = 512) -> Iterator[Seen]:
    """The page over these events, none of which is due before the clock is set forward; it must not complain."""
    clock, complaints = HandClock(), list[str]()
    stage = staged(events, 1.0, clock)
    with served(stage, kept=kept) as address:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda sent: complaints.append(sent.url) if not sent.url.startswith(address) else None,
        )
        page.goto(address)
        page.get_by_text("Live", exact=True).wait_for()
        yield Seen(page, stage, clock, complaints)
        context.close()
    assert complaints == []


def test_the_demos_stream_is_seen_as_it_comes_with_each_summary_beside_its_text(browser: "Browser") -> None:
    from playwright.sync_api import expect

    events = list(read_events(SAMPLE / "stream.jsonl"))
    with opened(browser, events) as seen:
        expect(seen.of("Postings")).to_contain_text("Postings appear here")
        seen.let(len(events))
        broken = len([event for event in events if isinstance(event, BrokenLine)])
        letters = seen.of("Dead letters").get_by_role("row")
        # the heading's row, then the stream's broken lines and what else the featurizer refuses
        expect(letters.nth(broken)).to_be_visible()
        features = len(events) - (letters.count() - 1)
        expect(seen.of("Postings")).to_contain_text(f"{features} seen")
        assert seen.of("Postings").get_by_role("listitem").count() == 60
        sent = len(seen.stage.alerts())
        assert sent > 10
        expect(seen.of("Alerts")).to_contain_text(f"{sent} seen")
        reading = seen.page.locator("#reading")
        kept = reading.locator("mark")
        expect(kept.first).to_be_visible()
        summary = reading.locator(".compare > div").nth(1)
        for phrase in kept.all_text_contents():
            expect(summary).to_contain_text(phrase)


def test_an_alert_leads_to_the_explanation_of_its_pair_at_an_address_of_its_own(browser: "Browser") -> None:
    from playwright.sync_api import expect

    with opened(browser, sample(40)) as seen:
        seen.let(40)
        alert = seen.of("Alerts").get_by_role("listitem").first
        title = alert.locator("a.name").inner_text()
        alert.get_by_role("link", name=re.compile("^Why ")).click()
        expect(seen.page).to_have_url(re.compile(r"/pair\?search=.+&posting=.+"))
        expect(seen.page.get_by_role("heading", level=1)).to_have_text(
            "it alerted: this opening's alert was sent"
        )
        expect(seen.page).to_have_title(re.compile(re.escape(title)))
        score = seen.page.get_by_role("row", name=re.compile("^score"))
        expect(score).to_contain_text("passes")
        assert seen.page.evaluate(FAINT) == []
        assert seen.page.evaluate(NAMELESS) == []


def test_a_paused_page_stands_still_and_then_shows_what_came_meanwhile(browser: "Browser") -> None:
    from playwright.sync_api import expect

    with opened(browser, sample(40)) as seen:
        seen.let(10)
        expect(seen.of("Postings")).to_contain_text("10 seen")
        seen.page.get_by_role("button", name="Pause").press("Enter")
        expect(seen.page.get_by_text("Paused", exact=True).first).to_be_visible()
        seen.let(10)
        seen.page.wait_for_timeout(800)
        expect(seen.of("Postings")).to_contain_text("10 seen")
        seen.page.get_by_role("button", name="Resume").press("Enter")
        expect(seen.of("Postings")).to_contain_text("20 seen")
        assert seen.of("Postings").get_by_role("listitem").count() == 20
        assert seen.page.get_by_role("alert").inner_text() == ""


def test_a_browser_that_was_away_for_too_long_is_told_how_much_it_missed(browser: "Browser") -> None:
    from playwright.sync_api import expect

    with opened(browser, sample(60), kept=4) as seen:
        seen.let(1)
        expect(seen.of("Postings")).to_contain_text("1 seen")
        seen.page.get_by_role("button", name="Pause").click()
        for number in range(2, 30):
            seen.let(1)
            seen.page.wait_for_function(
                "async (n) => (await (await fetch('/api/search', {method: 'POST', body: '{\"query\": \"a\"}',"
                " headers: {'content-type': 'application/json'}})).json()).postings >= n",
                arg=number // 2,
            )
        seen.page.wait_for_timeout(1_000)
        seen.page.get_by_role("button", name="Resume").click()
        expect(seen.page.get_by_role("alert")).to_contain_text("not shown. Nothing is lost")
        expect(seen.of("Postings")).to_contain_text("29 seen")


def test_a_list_does_not_move_under_who_reads_it(browser: "Browser") -> None:
    from playwright.sync_api import expect

    with opened(browser, sample(40)) as seen:
        seen.let(20)
        expect(seen.of("Postings")).to_contain_text("20 seen")
        first = seen.of("Postings").get_by_role("listitem").first
        before = first.inner_text()
        first.get_by_role("link").focus()
        seen.let(5)
        more = seen.of("Postings").get_by_role("button", name="Show 5 new ones")
        expect(more).to_be_visible()
        assert first.inner_text() == before
        more.press("Enter")
        assert first.inner_text() != before
        assert first.get_by_role("link").evaluate("one => one === document.activeElement")


def test_a_search_is_typed_answered_and_closed_by_keyboard_alone(browser: "Browser") -> None:
    from playwright.sync_api import expect

    with opened(browser, sample(40)) as seen:
        seen.let(40)
        expect(seen.of("Postings")).to_contain_text("40 seen")
        seen.page.keyboard.press("Tab")
        expect(seen.page.get_by_role("link", name="Skip to the posting")).to_be_focused()
        box = seen.page.get_by_role("searchbox", name="Search the open postings")
        box.focus()
        seen.page.keyboard.type("night nurse")
        seen.page.keyboard.press("Enter")
        heading = seen.page.get_by_role("heading", name=re.compile("for “night nurse”"))
        expect(heading).to_be_focused()
        result = seen.page.locator("#results li").first
        expect(result).to_contain_text("has ")
        result.get_by_role("link").press("Enter")
        expect(seen.page.locator("#reading")).to_be_focused()
        expect(seen.page.locator("#reading-title")).to_have_text(result.get_by_role("link").inner_text())
        seen.page.get_by_role("button", name="Close").press("Enter")
        expect(box).to_be_focused()
        expect(heading).to_be_hidden()


def test_a_dead_letter_is_looked_at_and_sent_back_after_a_question(browser: "Browser") -> None:
    from playwright.sync_api import expect

    broken = BrokenLine(number=6, data=b"{<b>broken</b>", reason="no JSON")
    with opened(browser, [*sample(5), broken]) as seen:
        seen.let(6)
        row = seen.of("Dead letters").get_by_role("row").nth(1)
        expect(row).to_contain_text("{<b>broken</b>")
        row.get_by_role("button", name=re.compile("^Show")).click()
        expect(seen.page.get_by_role("dialog")).to_contain_text("{<b>broken</b>")
        seen.page.keyboard.press("Escape")
        row.get_by_role("button", name=re.compile("^Send back")).click()
        seen.page.get_by_role("dialog").get_by_role("button", name="Keep them").click()
        row.get_by_role("button", name=re.compile("^Send back")).click()
        seen.page.get_by_role("dialog").get_by_role("button", name="Send back").click()
        expect(seen.page.get_by_role("alert")).to_contain_text("1 sent back, 0 were before")
        seen.let(1)
        expect(seen.of("Dead letters").get_by_role("row")).to_have_count(3)  # it failed again
        expect(seen.of("Dead letters")).to_contain_text("sent back")


def test_every_text_has_contrast_and_every_control_a_name_in_light_and_in_dark(browser: "Browser") -> None:
    from playwright.sync_api import expect

    with opened(browser, list(read_events(SAMPLE / "stream.jsonl"))[:60]) as seen:
        seen.let(60)
        expect(seen.of("Alerts")).to_contain_text("seen")
        grounds = set()
        for theme in ("light", "dark"):
            seen.page.get_by_label("Colours").select_option(theme)
            seen.page.wait_for_timeout(1_800)  # until new rows have their lasting colour
            grounds.add(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))
            assert seen.page.evaluate(FAINT) == []
            assert seen.page.evaluate(NAMELESS) == []
        assert len(grounds) == 2
        seen.page.reload()
        assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") in grounds
        assert seen.page.get_by_label("Colours").input_value() == "dark"
