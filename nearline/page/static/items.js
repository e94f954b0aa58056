// One posting, one alert, as a row of a list.
import { el } from "./dom.js";
import { NONE, clock, facts, seconds } from "./show.js";

const OUTCOMES = {
  summarized: "summarized", metadata_only: "text as before", unchanged: "unchanged", closed: "closed",
  reopened: "reopened", removed: "removed", stale: "out of date",
};
const REASONS = {
  new: "new posting", reopened: "reopened", edited: "an edit made it match", search: "new search", unknown: "",
};

export const postingLink = (id) => `#posting=${encodeURIComponent(id)}`;
export const pairLink = (search, posting) =>
  `/pair?search=${encodeURIComponent(search)}&posting=${encodeURIComponent(posting)}`;

/** How many tokens a summary leaves of its text. */
export const saved = (posting) =>
  posting.tokens_before ? `${posting.tokens_before} → ${posting.tokens_after} tokens` : "";

export function postingRow(item) {
  if (item.unreadable) return unreadable(item);
  return el("li.row", { "data-posting": item.posting_id },
    el("p", {}, el("a.name", { href: postingLink(item.posting_id), dir: "auto" }, item.title || "(no content)")),
    el("p.where", { dir: "auto" }, facts(item) || NONE),
    el("p.facts", {},
      el(`span.tag${item.outcome === "summarized" ? ".strong" : ""}`, {}, OUTCOMES[item.outcome] || item.outcome),
      saved(item) ? el("span", {}, saved(item)) : null,
      clock(item.at_ms),
      item.late_ms === null ? null : el("span", { title: "from the update's arrival to its feature" }, `after ${seconds(item.late_ms / 1000)}`)));
}

export function alertRow(item) {
  if (item.unreadable) return unreadable(item);
  return el("li.row", { "data-posting": item.posting_id },
    el("p.query", {}, el("bdi", {}, `“${item.query}”`),
      el("a", { href: pairLink(item.search_id, item.posting_id), "aria-label": `Why ${item.title} for ${item.query}` }, "Why")),
    el("p", {}, el("a.name", { href: postingLink(item.posting_id), dir: "auto" }, item.title)),
    el("p.where", { dir: "auto" }, item.company || NONE),
    el("p.facts", {},
      score(item.p_yes),
      REASONS[item.reason] ? el("span.tag.strong", {}, REASONS[item.reason]) : null,
      clock(item.at_ms),
      el("span", { title: "from the update's arrival to the alert" }, `after ${seconds(item.late_ms / 1000)}`)));
}

export function resultRow(item) {
  return el("li.row", { "data-posting": item.posting_id },
    el("p", {}, el("a.name", { href: postingLink(item.posting_id), dir: "auto" }, item.title)),
    el("p.where", { dir: "auto" }, facts(item) || NONE),
    el("p.facts", {}, item.p_yes === null ? null : score(item.p_yes),
      item.promoted ? el("span.tag.strong", { title: `without the promotion at place ${item.promoted.organic_place}` }, "promoted") : null,
      el("span", {}, item.reasons.join("; "))));
}

const score = (p) => el("span", { title: `the ranker's p_yes: ${p}` },
  el("meter", { min: 0, max: 1, value: p, "aria-label": "score" }), ` ${p.toFixed(2)}`);

const unreadable = (item) => el("li.row", {}, el("p", {}, "A message that cannot be read"),
  el("p.where", {}, item.unreadable), el("p.facts", {}, clock(item.at_ms)));
