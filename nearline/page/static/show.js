// Figures and times as short texts; a dash for what nobody knows.
import { el } from "./dom.js";

export const NONE = "–";

/** A rate or a count, with fewer digits the larger it is. */
export function number(value) {
  if (value === null || value === undefined) return NONE;
  const digits = value >= 100 || Number.isInteger(value) ? 0 : value >= 1 ? 1 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function seconds(value) {
  if (value === null || value === undefined) return NONE;
  return value < 1 ? `${Math.round(value * 1000)} ms` : `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
}

export const percent = (value) => (value === null || value === undefined ? NONE : `${Math.round(value * 100)} %`);

/** The time of day of a broker's timestamp, with the whole instant for machines and as a tooltip. */
export function clock(ms) {
  const at = new Date(ms);
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return el("time", { datetime: at.toISOString(), title: at.toISOString() }, time);
}

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** Company, place, kind and pay of a posting, as far as it names them. */
export const facts = (posting) =>
  [posting.company, posting.location, posting.remote, posting.employment_type?.replaceAll("_", " ").toLowerCase(), posting.salary]
    .filter(Boolean).join(" · ");
