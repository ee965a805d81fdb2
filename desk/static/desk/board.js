"use strict";
// Keeps the board up to date while it is seen, and says how old it is.
(() => {
  const PERIOD = 30_000;
  const board = document.getElementById("board");
  const age = document.getElementById("board-age");
  const failed = document.getElementById("board-failed");
  const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto", style: "short" });
  let updated = Date.now();
  let asked = updated;

  const showAge = () => {
    const seconds = Math.round((Date.now() - updated) / 1000);
    const ago = seconds < 60 ? words.format(-seconds, "second") : words.format(-Math.floor(seconds / 60), "minute");
    age.textContent = age.dataset.words.replace("{age}", ago);
  };

  // A row must not move from under the pointer that is about to press its button, nor text that is being selected.
  const isBusy = () => board.querySelector("form:hover") !== null || !getSelection().isCollapsed;

  const rows = () => [...board.querySelectorAll(".board-open li")];

  const replace = (html) => {
    const focused = board.contains(document.activeElement) ? document.activeElement.id : "";
    const index = rows().indexOf(document.activeElement.closest(".board-open li"));
    const tableIsOpen = document.getElementById("board-table")?.open;
    board.innerHTML = html;
    const next = rows()[Math.min(index, rows().length - 1)]?.querySelector(".board-text");
    if (focused) (document.getElementById(focused) ?? next)?.focus({ preventScroll: true });
    if (tableIsOpen) document.getElementById("board-table").open = true;
  };

  const refresh = async () => {
    asked = Date.now();
    try {
      // An ended session redirects to the log-in page.
      const response = await fetch(board.dataset.url, { redirect: "error", signal: AbortSignal.timeout(10_000) });
      if (!response.ok) throw new Error(response.status);
      const html = await response.text();
      if (isBusy()) {
        asked = 0; // Once it is not, a newer one is fetched.
        return;
      }
      replace(html);
      updated = Date.now();
      failed.hidden = true;
    } catch {
      failed.hidden = false;
    }
  };

  const tick = () => {
    showAge();
    if (!document.hidden && !isBusy() && Date.now() - asked >= PERIOD) refresh();
  };
  setInterval(tick, 1_000);
  document.addEventListener("visibilitychange", tick);
  showAge();
})();
