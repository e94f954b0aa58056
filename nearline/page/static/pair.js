// Why one pair did or did not alert: the verdict, the steps that decide, and what the ranker read.
import { ask, byId, el } from "./dom.js";
import { postingLink } from "./items.js";
import { comparison } from "./reading.js";
import { facts } from "./show.js";

const PASSED = { yes: ["✓", "passes"], no: ["✗", "fails"], told: ["·", "noted"] };

function verdict(pair) {
  return el("section.card.verdict", { id: "verdict", tabindex: "-1", "data-fate": pair.fate },
    el("h1", {}, pair.why), el("p.soft", {}, `fate: ${pair.fate.replaceAll("_", " ")}`));
}

function sides({ search, posting, times }) {
  const seen = times.map(({ name, at }) => el("p.soft", {}, `${name} ${at.replace("T", " ").slice(0, 19)} UTC`));
  return el("div.sides", {},
    el("section.card.side", {}, el("h2", {}, "The search"), el("p.big", { dir: "auto" }, `“${search.query}”`),
      el("p.soft", {}, `alerts from p_yes ${search.threshold.toFixed(4)} on · ${search.search_id}`)),
    el("section.card.side", {}, el("h2", {}, "The posting"),
      posting ? [el("p.big", { dir: "auto" }, el("a", { href: `/${postingLink(posting.posting_id)}` }, posting.title || posting.posting_id)),
        el("p", { dir: "auto" }, facts(posting)), seen] : el("p", {}, "The store has none.")));
}

function steps(pair) {
  const row = ({ name, passed, wanted, found }) => el("tr", {}, el("th", { scope: "row" }, name),
    el("td", {}, el(`span.${passed}`, {}, el("span", { "aria-hidden": "true" }, `${PASSED[passed][0]} `), PASSED[passed][1])),
    el("td", { dir: "auto" }, wanted), el("td", { dir: "auto" }, found));
  const heads = ["Step", "Verdict", "Wanted", "Found"].map((head) => el("th", { scope: "col" }, head));
  return el("section.card", {}, el("table", {}, el("caption", {}, "What decides, in the order in which it is asked"),
    el("thead", {}, el("tr", {}, heads)), el("tbody", {}, pair.steps.map(row))));
}

function read(pair) {
  if (!pair.posting) return null;
  return el("section.card.body", {}, comparison({ ...pair.posting, text: pair.text, verbatim: pair.verbatim }));
}

function prompt(pair) {
  if (!pair.prompt) return null;
  const tokens = pair.prompt.tokens === null ? "" : `, ${pair.prompt.tokens} tokens`;
  return el("details.card", {}, el("summary", {}, `The ranker's prompt${tokens}`), el("pre", {}, pair.prompt.text));
}

async function main() {
  const asked = new URLSearchParams(location.search), page = byId("pair");
  const [search, posting] = [asked.get("search") ?? "", asked.get("posting") ?? ""];
  let shown;
  try {
    const pair = await ask(`/api/pair?search=${encodeURIComponent(search)}&posting=${encodeURIComponent(posting)}`);
    document.title = `Why ${pair.posting?.title ?? posting} for ${pair.search.query} · nearline`;
    shown = [verdict(pair), sides(pair), steps(pair), read(pair), prompt(pair)].filter(Boolean);
  } catch (error) {
    shown = [el("section.card.verdict", { id: "verdict", tabindex: "-1", role: "alert" }, el("h1", {}, "No explanation"), el("p", {}, error.message))];
  }
  page.replaceChildren(...shown);
  page.removeAttribute("aria-busy");
  byId("said").textContent = byId("verdict").querySelector("h1").textContent;
}

main();
