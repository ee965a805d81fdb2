"use strict";
// After a press in a row the page is shown at the same place, with the focus on that row, or where it is gone on the
// one in its place. Without scripts the address leads to the row.
(() => {
  const KEY = "pressed row";
  const ROWS = "#result_list tbody tr, .board-open li";
  const page = location.pathname + location.search;

  document.addEventListener("submit", ({ submitter }) => {
    const row = submitter?.closest(ROWS);
    if (!row) return;
    const index = [...document.querySelectorAll(ROWS)].indexOf(row);
    sessionStorage.setItem(KEY, JSON.stringify({ page, index, top: row.getBoundingClientRect().top }));
  });

  // pageshow: the browser has scrolled to the row.
  addEventListener("pageshow", () => {
    const pressed = JSON.parse(sessionStorage.getItem(KEY));
    sessionStorage.removeItem(KEY);
    if (pressed?.page !== page) return;
    const rows = document.querySelectorAll(ROWS);
    const target =
      document.querySelector(":target") ??
      rows[Math.min(pressed.index, rows.length - 1)]?.querySelector("[id^=incident-], a");
    if (!target) return;
    target.focus({ preventScroll: true });
    scrollBy({ top: target.closest(ROWS).getBoundingClientRect().top - pressed.top, behavior: "instant" });
  });
})();
