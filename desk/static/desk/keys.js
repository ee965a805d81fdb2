"use strict";
// Single keys: none while text is typed or a form is being sent, and none where the operator has turned them off.
(() => {
  const OFF = "keys off";
  const ROWS = "#result_list tbody tr, .board-open li";
  const TYPED = "input:not([type=checkbox], [type=radio]), textarea, select";
  const dialog = document.getElementById("keys");
  const button = document.getElementById("keys-button");
  const choice = document.getElementById("keys-on");
  if (!dialog) return; // the log-in
  let sending = false;

  const visible = (selector) =>
    [...document.querySelectorAll(selector)].find((found) => found.checkVisibility({ visibilityProperty: true }));
  const rows = () => [...document.querySelectorAll(ROWS)].filter((row) => row.querySelector("a"));
  const row = () => document.activeElement.closest(ROWS);

  const move = (step) => {
    const all = rows();
    const index = all.indexOf(row());
    all[Math.min(Math.max(index + step, 0), all.length - 1)]?.querySelector("a").focus();
  };
  // Of the row that has the focus, else of the incident's page
  const press = (status) =>
    (row() ?? document.getElementById("status_form"))?.querySelector(`button[name=status][value=${status}]`)?.click();

  const SEARCH = ["#searchbar", "#desk-search"]; // a list's own comes first
  const NEW = ".new-incident-link";
  const COMMENT = "#comment_form textarea";
  const keys = {
    "/": () => (visible(SEARCH[0]) ?? visible(SEARCH[1]))?.focus(),
    n: () => visible(NEW)?.click(),
    j: () => move(1),
    k: () => move(-1),
    t: () => press("in_progress"),
    r: () => press("resolved"),
    c: () => visible(COMMENT)?.focus(),
    "?": () => dialog.showModal(),
  };

  // What is on the key: on a layout of other letters it counts where the key is, so that т is n.
  const named = ({ key, code, shiftKey }) => {
    if (key === "/" || key === "?") return key;
    if (code === "Slash" && key === ".") return "/";
    if (code === "Slash" && key === ",") return "?";
    if (shiftKey || !/^\p{L}$/u.test(key)) return "";
    return /[a-z]/i.test(key) ? key.toLowerCase() : code.replace("Key", "").toLowerCase();
  };

  const isOn = () => localStorage.getItem(OFF) === null;
  const announce = () => {
    for (const [selector, key] of [
      [SEARCH.join(), "/"],
      [NEW, "n"],
      ["#status_form [value=in_progress]", "t"],
      ["#status_form [value=resolved]", "r"],
      [COMMENT, "c"],
      ["#keys-button", "?"],
    ]) {
      for (const element of document.querySelectorAll(selector)) {
        if (isOn()) element.setAttribute("aria-keyshortcuts", key);
        else element.removeAttribute("aria-keyshortcuts");
      }
    }
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (sending || dialog.open || !isOn()) return;
    if (event.target.matches(TYPED) || event.target.isContentEditable) return;
    const name = named(event);
    if (!Object.hasOwn(keys, name) || (event.repeat && !"jk".includes(name))) return;
    event.preventDefault();
    keys[name]();
  });

  document.addEventListener("submit", (event) => {
    sending = !event.defaultPrevented;
  });
  addEventListener("pageshow", () => {
    sending = false;
  });

  choice.checked = isOn();
  choice.addEventListener("change", () => {
    if (choice.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "");
    announce();
  });
  button.addEventListener("click", () => dialog.showModal());
  document.getElementById("keys-close").addEventListener("click", () => dialog.close());
  button.hidden = false;
  announce();
})();
