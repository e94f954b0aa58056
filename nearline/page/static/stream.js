// The stream of events: connects again by itself, can be paused, and says what was missed.

const RECONNECT_MS = 3000;

export class Stream {
  #source = null;
  #last = "";
  #kinds;
  #tell;

  /** `kinds`: what to call with the data of each kind of event; `tell`: called with live, lost or paused. */
  constructor(kinds, tell) {
    this.#kinds = kinds;
    this.#tell = tell;
  }

  /** Connect, behind the last event that was read. */
  open() {
    this.#source = new EventSource(`/api/events?after=${encodeURIComponent(this.#last)}`);
    this.#source.onopen = () => this.#tell("live");
    this.#source.onerror = () => this.#failed();
    for (const [kind, take] of Object.entries(this.#kinds)) {
      this.#source.addEventListener(kind, (event) => {
        if (event.lastEventId) this.#last = event.lastEventId;
        take(JSON.parse(event.data || "null"));
      });
    }
  }

  /** Stop reading; the server keeps the newest events for `open`. */
  pause() {
    this.#source?.close();
    this.#source = null;
    this.#tell("paused");
  }

  get paused() { return this.#source === null; }

  #failed() {
    const source = this.#source;
    this.#tell("lost");
    if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    setTimeout(() => { if (this.#source === source) this.open(); }, RECONNECT_MS);
  }
}
