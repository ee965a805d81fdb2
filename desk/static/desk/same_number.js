"use strict";
// While a new incident is typed, shows the unresolved ones that name the same number.
(() => {
  const PAUSE = 300;
  const text = document.getElementById("id_description");
  const shown = document.getElementById("same-number");
  let asked = "";
  let timer;

  const look = async () => {
    const numbers = [...new Set(text.value.replace(/https?:\/\/\S+/gi, " ").match(/\d{5,}/g))].slice(0, 5).join(" ");
    if (numbers === asked) return;
    asked = numbers;
    try {
      const url = `${shown.dataset.url}?${new URLSearchParams({ text: numbers })}`;
      const options = { redirect: "error", signal: AbortSignal.timeout(10_000) };
      const response = numbers && (await fetch(url, options));
      if (response && !response.ok) throw new Error(response.status);
      const html = response ? await response.text() : "";
      if (numbers === asked) shown.innerHTML = html; // else newer numbers have been asked for
    } catch {
      if (numbers === asked) asked = ""; // The next letter asks again: recording needs no offer.
    }
  };

  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE);
  });
  look();
})();
