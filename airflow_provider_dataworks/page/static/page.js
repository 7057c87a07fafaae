// Two things that a page in a frame of Airflow cannot do by itself: look as dark as Airflow does, and open a link in
// Airflow's own window (the frame is sandboxed). Without this file all links still work, inside the frame.
"use strict";
(() => {
  let outer = null;
  try {
    outer = window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    outer = null; // framed by another origin
  }
  if (!outer) return;

  const follow = () => {
    const root = outer.document.documentElement;
    const dark = root.classList.contains("dark") || root.dataset.theme === "dark";
    const light = root.classList.contains("light") || root.dataset.theme === "light";
    if (dark || light) document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  follow();
  new outer.MutationObserver(follow).observe(outer.document.documentElement, { attributes: true });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button) return;
    const here = new URL("./", document.baseURI).href;
    const outside = "outside" in link.dataset;
    if (!outside && (link.href.startsWith(here) || link.getAttribute("href").startsWith("#"))) return;
    event.preventDefault();
    // A link of the outer document is followed in its name, which the sandbox of the frame does not forbid.
    const stand_in = outer.document.createElement("a");
    stand_in.href = link.href;
    if (outside || event.metaKey || event.ctrlKey || event.shiftKey) stand_in.target = "_blank";
    stand_in.rel = "noopener noreferrer";
    outer.document.body.append(stand_in);
    stand_in.click();
    stand_in.remove();
  });
})();
