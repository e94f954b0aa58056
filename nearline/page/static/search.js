// The search box: what was understood of a question, which can be taken out or set by hand, and the results.
import { ask, byId, el } from "./dom.js";
import { resultRow } from "./items.js";
import { markChosen } from "./reading.js";
import { plural, seconds } from "./show.js";

let asked = { query: "", dropped: [], set: {} };
let turn = 0;

export function startSearch(tell) {
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const query = byId("question").value.trim();
    if (!query) { tell("Type what you look for first."); byId("question").focus(); return; }
    byId("filters").reset();
    asked = { query, dropped: [], set: {} };
    show(tell);
  });
  byId("filters").addEventListener("submit", (event) => {
    event.preventDefault();
    asked = { ...asked, set: byHand(new FormData(event.target)) };
    show(tell);
  });
  byId("more").addEventListener("click", (event) => show(tell, event.target.value));
  byId("answer-close").addEventListener("click", () => { byId("answer").hidden = true; byId("question").focus(); });
}

/** The filters that were set, as the search service takes them. */
function byHand(form) {
  const given = [...form].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value);
  const several = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);
  return Object.fromEntries(given.map(([name, value]) => [name, name === "must_not" ? several(value) : value]));
}

async function show(tell, cursor = "") {
  const mine = ++turn;
  tell("Searching");
  let answer, error = "";
  try { answer = await ask("/api/search", { ...asked, cursor }); } catch (failed) { error = failed.message; }
  if (mine !== turn) return; // a newer question was asked
  byId("answer").hidden = false;
  const title = error || `${plural(answer.total, "result")} for “${asked.query}”`;
  byId("answer-title").textContent = title;
  byId("answer-how").textContent = answer ? how(answer) : "";
  byId("answer-notes").textContent = answer ? [...answer.notes, ...answer.missing].join(". ") : "";
  byId("understood").replaceChildren(...(answer ? understood(answer, tell) : []));
  const rows = (answer?.results ?? []).map(resultRow);
  if (cursor) byId("results").append(...rows); else byId("results").replaceChildren(...rows);
  byId("more").value = answer?.cursor ?? "";
  byId("more").hidden = !byId("more").value;
  markChosen();
  tell(title);
  if (cursor) rows[0]?.querySelector("a").focus(); else byId("answer-title").focus();
}

function how({ passing, postings, took_ms }) {
  const took = Object.values(took_ms).reduce((sum, one) => sum + one, 0);
  return `${passing.toLocaleString("en")} of ${plural(postings, "open posting")} pass the filters · ${seconds(took / 1000)}`;
}

function understood(answer, tell) {
  const chips = [
    ...answer.understood.map((part) => chip(part, false, tell)),
    ...asked.dropped.map((name) => chip({ name, value: "", words: "" }, true, tell)),
  ];
  const words = answer.words.length ? `Words to look for: ${answer.words.join(", ")}` : "No words to look for are left.";
  return [el("span.soft", {}, chips.length ? "Understood:" : "Understood as words alone."), ...chips, el("span.soft", {}, words)];
}

function chip(part, off, tell) {
  const name = part.name.replaceAll("_", " ");
  const say = off ? name : `${name}: ${part.value}`;
  const label = off ? `Take ${name} back in` : `Take out ${say}`;
  return el(off ? "span.chip.off" : "span.chip", { title: part.words && `from “${part.words}”` },
    el("span.say", {}, say),
    el("button", { type: "button", "aria-label": label, onclick: () => {
      const dropped = asked.dropped.filter((one) => one !== part.name);
      asked = { ...asked, dropped: off ? dropped : [...dropped, part.name] };
      show(tell);
    } }, off ? "Undo" : "×"));
}
