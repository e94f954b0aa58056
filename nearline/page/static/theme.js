// Colours as the system has them, or as the person chose; set before the first paint.
"use strict";
(() => {
  const kept = () => { try { return localStorage.getItem("theme") || "auto"; } catch { return "auto"; } };
  const show = (theme) => { document.documentElement.dataset.theme = theme; };
  show(kept());
  addEventListener("DOMContentLoaded", () => {
    const select = document.getElementById("theme");
    select.value = kept();
    select.addEventListener("change", () => {
      show(select.value);
      try { localStorage.setItem("theme", select.value); } catch { /* a browser that keeps nothing */ }
    });
  });
})();
