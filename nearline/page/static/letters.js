// Dead letters: what failed and why, each to be looked at whole, and sent back after a question.
import { ask, byId, el } from "./dom.js";
import { clock, plural } from "./show.js";

let letters = [];
let due = null;

/** Read the list again soon; many messages at once cost one reading. */
export function readLetters(tell) {
  due ??= setTimeout(async () => {
    due = null;
    try {
      letters = (await ask("/api/letters")).letters;
      show(tell);
    } catch (error) {
      byId("letters-total").textContent = error.message;
    }
  }, 400);
}

export function startLetters(tell) {
  byId("replay-all").addEventListener("click", () => {
    const offsets = open().map((one) => one.offset);
    replay(Math.min(...offsets), Math.max(...offsets), plural(offsets.length, "dead letter"), tell);
  });
}

const open = () => letters.filter((one) => one.whole && !one.replayed);

function show(tell) {
  const count = open().length;
  byId("letters-total").textContent = letters.length ? `${plural(letters.length, "message")}, ${count} not sent back` : "";
  byId("replay-all").hidden = count < 2;
  const held = document.activeElement?.closest?.("#letters tr")?.dataset.offset;
  byId("letters").replaceChildren(...letters.map((one) => row(one, tell)));
  if (held) byId("letters").querySelector(`[data-offset="${CSS.escape(held)}"] button`)?.focus();
}

function row(one, tell) {
  const name = `the letter of ${one.source}`;
  const send = one.replayed ? el("span.tag", {}, "sent back")
    : one.whole ? el("button", { type: "button", "aria-label": `Send back ${name}`, onclick: () => replay(one.offset, one.offset, name, tell) }, "Send back")
    : el("span.tag", { title: "it was cut, or its topic is not known" }, "not whole");
  return el("tr", { "data-offset": one.offset },
    el("td.nowrap", {}, clock(one.at_ms)), el("td", {}, one.source), el("td", {}, one.reason),
    el("td", {}, el("code", {}, one.begins)), el("td.nowrap", {}, one.length.toLocaleString("en")),
    el("td", {}, el("div.choices", {},
      el("button", { type: "button", "aria-label": `Show ${name}`, onclick: () => whole(one) }, "Show"), send)));
}

async function whole(one) {
  byId("letter-title").textContent = `Dead letter of ${one.source}`;
  byId("letter-reason").textContent = one.reason;
  byId("letter-value").textContent = "…";
  byId("letter").showModal();
  try {
    byId("letter-value").textContent = (await ask(`/api/letter?partition=${one.partition}&offset=${one.offset}`)).value;
  } catch (error) {
    byId("letter-value").textContent = error.message;
  }
}

function replay(first, last, what, tell) {
  const dialog = byId("sure");
  byId("sure-text").textContent = `Send ${what} back to the topic of origin? What was sent back before is not sent twice.`;
  dialog.addEventListener("close", async () => {
    if (dialog.returnValue !== "yes") return;
    try {
      const done = await ask("/api/letters/replay", { first, last });
      tell(`${done.sent} sent back, ${done.already} were before, ${done.unsendable} are not whole.`, true);
    } catch (error) {
      tell(error.message, true);
    }
    readLetters(tell);
  }, { once: true });
  dialog.returnValue = "no";
  dialog.showModal();
}
