"""The README's pictures of the page: of a running stack, or of the sample replayed by the shipped models.

make screenshots                             # the sample; no figures, because there are no processes to measure
make screenshots AT=http://127.0.0.1:29080   # a stack with the demo under way: nearline demo --keep
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from models.server.in_process import InProcessRanker, InProcessSummarizer
from nearline.cli.options import CHECKPOINTS, default_threshold
from nearline.page.local import LocalStage, Replay
from schemas.events import read_events, read_searches
from storage.memory import MemoryStore
from tests.nearline.page.browser import chromium
from tests.nearline.page.stage import SAMPLE, HandClock, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = Path(__file__).parents[3] / "docs" / "images"
#: The alert of those in the list with the highest score, of those in letters that most readers of the README know.
BEST = """() => [...document.querySelectorAll('#alerts .row')]
  .filter((one) => /^[ -~]+$/.test(one.querySelector('a.name').textContent))
  .reduce((best, one) => one.querySelector('meter').value > best.querySelector('meter').value ? one : best)
  .querySelectorAll('a')
  .forEach((link, i) => { document.body.dataset[['pair', 'posting'][i]] = link.getAttribute('href'); })"""


@contextmanager
def sample() -> Iterator[str]:
    """The address of a page over the sample."""
    clock, ranker = HandClock(), CHECKPOINTS / "ranker-tiny"
    searches = read_searches(SAMPLE / "searches.jsonl", default_threshold(ranker))
    replay = Replay(events=read_events(SAMPLE / "stream.jsonl"), searches=searches)
    summarizer = InProcessSummarizer(CHECKPOINTS / "summarizer-tiny")
    stage = LocalStage(replay, MemoryStore(clock), summarizer, InProcessRanker(ranker), clock=clock)
    with served(stage) as address:
        yield address


def take(browser: "Browser", address: str) -> None:
    """Take both pictures once alerts are there and figures cover a while."""
    page = _page(browser, address, "light", 980)
    page.locator("#alerts .row").nth(11).wait_for(timeout=180_000)
    page.wait_for_timeout(20_000)
    page.evaluate(BEST)
    posting, pair = (page.locator("body").get_attribute(f"data-{name}") or "" for name in ("posting", "pair"))
    page.evaluate("hash => { location.hash = hash; }", posting)
    page.locator("#reading mark").first.wait_for()
    page.wait_for_timeout(2_000)
    page.screenshot(path=IMAGES / "page.png")
    why = _page(browser, f"{address}{pair}", "dark", 1040)
    why.locator("#verdict").wait_for()
    why.screenshot(path=IMAGES / "pair.png")


def _page(browser: "Browser", address: str, scheme: str, height: int) -> "Page":
    page = browser.new_page(viewport={"width": 1440, "height": height}, reduced_motion="reduce")
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.goto(address)
    return page


def main() -> None:
    """Write the pictures into docs/images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at", help="Address of a page that is served already.")
    at = parser.parse_args().at
    IMAGES.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        if at:
            take(browser, at.rstrip("/"))
            return
        with sample() as address:
            take(browser, address)


if __name__ == "__main__":
    main()
