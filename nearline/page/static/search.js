// The search box: what was understood of a question, each part of which can be taken out, and the results.
import { ask, byId, el } from "./dom.js";
import { resultRow } from "./items.js";
import { markChosen } from "./reading.js";
import { plural, seconds } from "./show.js";

let asked = { text: "", dropped: [] };
let turn = 0;

export function startSearch(tell) {
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("question").value.trim();
    if (!text) { tell("Type what you look for first."); byId("question").focus(); return; }
    asked = { text, dropped: [] };
    show(tell);
  });
  byId("answer-close").addEventListener("click", () => { byId("answer").hidden = true; byId("question").focus(); });
}

async function show(tell) {
  const mine = ++turn;
  tell("Searching");
  let answer, error = "";
  try { answer = await ask("/api/search", asked); } catch (failed) { error = failed.message; }
  if (mine !== turn) return; // a newer question was asked
  byId("answer").hidden = false;
  const results = answer?.results ?? [];
  const title = error || `${plural(results.length, "result")} for “${asked.text}”`;
  byId("answer-title").textContent = title;
  byId("answer-how").textContent = answer ? `${answer.how} · ${seconds(answer.seconds)}` : "";
  byId("understood").replaceChildren(...(answer ? understood(answer, tell) : []));
  byId("results").replaceChildren(...results.map(resultRow));
  markChosen();
  tell(title);
  byId("answer-title").focus();
}

function understood(answer, tell) {
  const chips = [
    ...answer.understood.map((part) => chip(part, false, tell)),
    ...asked.dropped.map((name) => chip({ name, value: "", words: "" }, true, tell)),
  ];
  const words = answer.words.length ? `words: ${answer.words.join(", ")}` : "no words to look for are left";
  return [el("span.soft", {}, chips.length ? "Understood:" : "Understood no place, kind or pay;"), ...chips, el("span.soft", {}, words)];
}

function chip(part, off, tell) {
  const say = off ? part.name : `${part.name} ${part.value}`;
  const label = off ? `Take ${part.name} back in` : `Take out ${say}`;
  return el(off ? "span.chip.off" : "span.chip", { title: part.words && `from “${part.words}”` },
    el("span.say", {}, say),
    el("button", { type: "button", "aria-label": label, onclick: () => {
      asked.dropped = off ? asked.dropped.filter((name) => name !== part.name) : [...asked.dropped, part.name];
      show(tell);
    } }, off ? "Undo" : "×"));
}
