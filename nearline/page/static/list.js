// A list that grows at its top and never moves under the pointer or the focus of whoever reads it.
import { byId } from "./dom.js";
import { plural } from "./show.js";

const MOST = 60;

export class LiveList {
  #list;
  #pane;
  #button;
  #render;
  #waiting = [];
  #left = 0;

  /** The list `id`, its total `id-total` and its button `id-new`; `render` makes a list item of an item. */
  constructor(id, render) {
    this.#list = byId(id);
    this.#button = byId(`${id}-new`);
    this.#render = render;
    this.total = byId(`${id}-total`);
    this.#pane = this.#list.closest("section");
    this.#pane.addEventListener("mouseleave", () => this.#settle());
    this.#pane.addEventListener("focusout", () => requestAnimationFrame(() => this.#settle()));
    this.#button.addEventListener("click", () => { this.#flush(); this.#list.querySelector("a")?.focus(); });
  }

  /** Take in items, the oldest first, and how many there were that were not sent. */
  add(items, leftOut) {
    this.#waiting.push(...items);
    this.#left += leftOut + Math.max(0, this.#waiting.length - MOST);
    this.#waiting = this.#waiting.slice(-MOST);
    this.#settle();
  }

  #settle() {
    if (!this.#held()) this.#flush();
    const count = this.#waiting.length + (this.#waiting.length ? this.#left : 0);
    this.#button.hidden = count === 0;
    this.#button.textContent = `Show ${plural(count, "new one", "new ones")}`;
  }

  /** Whether somebody reads here: pointer or focus are in the pane, button included, or the list is scrolled down. */
  #held() {
    const reads = this.#pane.matches(":hover") || this.#pane.contains(document.activeElement);
    return this.#list.childElementCount > 0 && (reads || this.#list.scrollTop > 8);
  }

  #flush() {
    for (const item of this.#waiting) {
      const row = this.#render(item);
      row.classList.add("fresh");
      this.#list.prepend(row);
    }
    this.#waiting = [];
    this.#left = 0;
    while (this.#list.childElementCount > MOST) this.#list.lastElementChild.remove();
    this.#list.scrollTop = 0;
    this.#button.hidden = true;
  }
}
