// Elements from values. Texts of postings are set as text alone, so that no markup in them is ever read as markup.

export const byId = (id) => document.getElementById(id);

/** An element: `el("a.name", { href }, "text", child, null)`; names with on… are listeners, null values left out. */
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

/** A text with its kept phrases marked, from [{text, kept}]. */
export const marked = (pieces) => pieces.map(({ text, kept }) => (kept ? el("mark", {}, text) : text));

/** The answer of the server as an object; an error's message says what to do. */
export async function ask(url, body) {
  const sent = body === undefined ? {} : {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  };
  let response;
  try {
    response = await fetch(url, sent);
  } catch {
    throw new Error("The page's server does not answer: is the stack up? `nearline status` tells.");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 422) throw new Error("The server refuses this input: it is empty or too long.");
  throw new Error(answer.error || `The server answered ${response.status}.`);
}
