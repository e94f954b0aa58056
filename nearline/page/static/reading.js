// The posting that was chosen: its text with the kept phrases marked, beside its summary.
import { ask, byId, el, marked } from "./dom.js";
import { facts, percent } from "./show.js";

/** The id that the address names after #posting=, else null. */
export function chosen() {
  const found = location.hash.match(/^#posting=(.*)$/);
  try { return found && decodeURIComponent(found[1]); } catch { return null; }
}

/** Show the posting that the address names, and give it the focus when `focus`. */
export async function readChosen(focus) {
  const id = chosen();
  markChosen();
  if (id === null) return;
  let body, title = id, meta = "";
  try {
    const posting = await ask(`/api/posting?id=${encodeURIComponent(id)}`);
    if (id !== chosen()) return; // another one was chosen meanwhile
    [title, meta] = [posting.title || "(no content)", facts(posting)];
    body = bodyOf(posting);
  } catch (error) {
    body = [el("p.notice.bad", { role: "alert" }, error.message)];
  }
  byId("reading-title").textContent = title;
  byId("reading-meta").textContent = meta;
  byId("reading-body").replaceChildren(...body);
  byId("reading-body").scrollTop = 0;
  if (focus) byId("reading").focus({ preventScroll: true });
}

/** Mark the chosen posting in all lists, also in rows that came later. */
export function markChosen() {
  const id = chosen();
  for (const row of document.querySelectorAll(".row[data-posting]")) {
    const is = row.dataset.posting === id;
    row.classList.toggle("chosen", is);
    const link = row.querySelector("a.name");
    if (is) link?.setAttribute("aria-current", "true");
    else link?.removeAttribute("aria-current");
  }
}

/** Text and summary side by side; also used for a pair. */
export function comparison(posting) {
  const left = posting.tokens_before ? 1 - posting.tokens_after / posting.tokens_before : null;
  const phrases = posting.summary ? posting.summary.split(/;\s+/) : [];
  return el("div.compare", {},
    el("div", {}, el("h3", {}, posting.verbatim ? "The posting, kept phrases marked" : "The posting"),
      el("p.text", { dir: "auto" }, posting.text ? marked(posting.text) : "The store holds no text of it.")),
    el("div", {}, el("h3", {}, `What the ranker reads${left === null ? "" : `: ${percent(left)} less`}`),
      phrases.length > 1 && posting.verbatim
        ? el("ul.summary", {}, phrases.map((phrase) => el("li", { dir: "auto" }, phrase)))
        : el("p.text", { dir: "auto" }, posting.summary || "No summary yet.")));
}

function bodyOf(posting) {
  const told = [
    posting.state, posting.tokens_before ? `${posting.tokens_before} tokens, ${posting.tokens_after} kept` : "",
    posting.model && `summary by ${posting.model}`, posting.posting_id,
  ].filter(Boolean);
  return [el("p.facts.soft", {}, told.join(" · ")), comparison(posting)];
}
