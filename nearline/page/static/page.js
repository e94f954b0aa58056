// The page of the running system: puts its parts together.
import { byId, el } from "./dom.js";
import { showAge, showFigures } from "./figures.js";
import { alertRow, postingRow } from "./items.js";
import { readLetters, startLetters } from "./letters.js";
import { LiveList } from "./list.js";
import { chosen, markChosen, readChosen } from "./reading.js";
import { startSearch } from "./search.js";
import { plural } from "./show.js";
import { Stream } from "./stream.js";

const SAY_EVERY_MS = 10_000;
const STATES = { live: "Live", lost: "No connection, trying again", paused: "Paused" };
const lists = { postings: new LiveList("postings", postingRow), alerts: new LiveList("alerts", alertRow) };
const since = { postings: 0, alerts: 0 };
let unheard = [];

/** Say something to who hears the page, and show it too where that is wanted. */
function tell(text, shown = false) {
  byId("said").textContent = text;
  if (shown) notice("told", text);
}

/** Show one line on top, in the place of the last one with this name; an empty text takes it away. */
function notice(name, text, bad = false) {
  const before = document.querySelector(`[data-notice="${name}"]`);
  if (before?.firstChild.textContent === text) return;
  before?.remove();
  if (!text) return;
  const close = el("button", { type: "button", onclick: (event) => event.target.closest(".notice").remove() }, "Dismiss");
  byId("notices").append(el(bad ? "p.notice.bad" : "p.notice", { "data-notice": name }, el("span", {}, text), close));
}

function take(kind) {
  return ({ items, left_out, total }) => {
    lists[kind].add(items, left_out);
    lists[kind].total.textContent = `${total.toLocaleString("en")} seen`;
    since[kind] += items.length + left_out;
    markChosen();
    if (kind === "postings" && chosen() === null) readFirst(items);
  };
}

/** The first posting with a summary is shown at once, so that the page tells what it is about. */
function readFirst(items) {
  const first = items.findLast((item) => item.summary);
  if (first) { history.replaceState(null, "", `#posting=${encodeURIComponent(first.posting_id)}`); readChosen(false); }
}

/** Tell how much came, now and then: a voice that reads every posting is of no use. */
function sayNews() {
  if (!since.postings && !since.alerts) return;
  tell(`${plural(since.postings, "posting")} and ${plural(since.alerts, "alert")} came in`);
  since.postings = since.alerts = 0;
}

function showTroubles(troubles) {
  for (const gone of unheard.filter((one) => !troubles.includes(one))) notice(`trouble ${gone}`, "");
  for (const one of troubles.filter((trouble) => !unheard.includes(trouble))) notice(`trouble ${one}`, one, true);
  unheard = troubles;
}

const stream = new Stream({
  postings: take("postings"),
  alerts: take("alerts"),
  letters: () => readLetters(tell),
  replayed: () => readLetters(tell),
  figures: (figures) => { showFigures(figures); showTroubles(figures.troubles); },
  reading: ({ why }) => notice("reading", why, true),
  missed: ({ items }) => notice("missed", `This browser fell behind or was paused for long: ${plural(items, "message is", "messages are")} not shown. Nothing is lost: they are on the topics and in the store.`),
  restarted: () => notice("missed", "The page's server was started again: what follows may repeat what is shown."),
}, (state) => {
  byId("link").dataset.state = state;
  byId("link-text").textContent = STATES[state];
});

byId("pause").addEventListener("click", (event) => {
  if (stream.paused) stream.open(); else stream.pause();
  event.target.setAttribute("aria-pressed", String(stream.paused));
  event.target.textContent = stream.paused ? "Resume" : "Pause";
  tell(stream.paused ? "Paused" : "Live again");
});
addEventListener("hashchange", () => readChosen(true));
setInterval(showAge, 1000);
setInterval(sayNews, SAY_EVERY_MS);
startSearch(tell);
startLetters(tell);
readLetters(tell);
readChosen(false);
stream.open();
