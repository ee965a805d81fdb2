"use strict";
// An open menu above a list closes when something else is pressed, or Escape.
(() => {
  const close = (but) => {
    for (const menu of document.querySelectorAll(".list-menu[open]")) {
      if (menu.contains(but)) continue;
      // What has the focus is hidden.
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
      menu.open = false;
    }
  };
  document.addEventListener("click", (event) => close(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close(null);
  });
})();
