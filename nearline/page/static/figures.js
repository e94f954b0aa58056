// What flows now: a card for each stage with its rate, what waits, latencies, and the last minutes as a line.
import { byId, el } from "./dom.js";
import { number, percent, seconds } from "./show.js";

const KEPT = 90; // looks, one each 2 s
const SVG = "http://www.w3.org/2000/svg";
const histories = new Map();
let at = null;

export function showFigures(figures) {
  at = Date.now();
  byId("figures").hidden = !isKnown(figures);
  const cards = figures.stages.map(stageCard);
  cards.push(card("score cache", percent(figures.hit_rate), "", ["of look-ups are hits"], figures.hit_rate));
  cards.push(card("depth", number(figures.depth), "", ["candidates a request"], figures.depth));
  byId("stages").replaceChildren(...cards);
  byId("lines").replaceChildren(...figures.lines.flatMap(({ what, figures: said }) => [el("dt", {}, what), el("dd", {}, said)]));
  showAge();
}

/** Whether any process shows anything; a replay within the page's own process shows nothing. */
const isKnown = ({ stages, hit_rate, depth }) =>
  [hit_rate, depth, ...stages.flatMap(({ waits, rate }) => [waits, rate])].some((value) => value !== null);

/** Say how old the figures are as soon as they are older than they should be. */
export function showAge() {
  const old = at === null ? 0 : Math.round((Date.now() - at) / 1000);
  byId("figures-age").textContent = old > 10 ? `as of ${old} s ago` : "";
}

function stageCard({ name, waits, rate, p50_s, p95_s }) {
  const more = [
    waits === null ? null : `${number(waits)} waiting`,
    p50_s === null ? null : `half in ${seconds(p50_s)}, 95 % in ${seconds(p95_s)}`,
  ];
  return card(name, number(rate), rate === null ? "" : "/s", more, rate);
}

function card(name, value, unit, more, plotted) {
  return el("li.stage.card", {}, el("h3", {}, name),
    el("p.value", {}, value, unit && el("span.unit", { title: "a second" }, unit)),
    more.filter(Boolean).map((said) => el("p.more", {}, said)), spark(name, plotted));
}

/** The last values as a line, for eyes alone: the figures beside it say the same. */
function spark(name, value) {
  const values = histories.get(name) ?? [];
  if (value !== null && value !== undefined) values.push(value);
  histories.set(name, values.slice(-KEPT));
  if (values.length < 3) return null;
  const shown = histories.get(name), top = Math.max(...shown, 1e-9);
  const points = shown.map((one, i) => `${(i / (shown.length - 1) * 100).toFixed(1)} ${(19 - one / top * 18).toFixed(1)}`);
  const svg = document.createElementNS(SVG, "svg"), path = document.createElementNS(SVG, "path");
  for (const [key, set] of Object.entries({ class: "spark", viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true" })) svg.setAttribute(key, set);
  path.setAttribute("d", `M${points.join("L")}`);
  svg.append(path);
  return svg;
}
