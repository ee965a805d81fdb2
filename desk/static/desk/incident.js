"use strict";
// Ctrl+Enter sends; typed text is kept when another form of the page is sent, and asked about when the page is left.
(() => {
  const forms = [...document.querySelectorAll("form[data-typed]")];
  const draft = `typed ${document.querySelector("#comment_form")?.action}`;
  let sending = false;

  const isTyped = (field) =>
    field.matches("textarea")
      ? field.value !== field.defaultValue
      : field.files?.length > 0 ||
        (field.matches("select") && [...field.options].some((option) => option.selected !== option.defaultSelected));
  const isDirty = (form) => "unsaved" in form.dataset || [...form.elements].some(isTyped);

  // What the operator saw goes with what was typed, so that a change in between is still found.
  const fieldsOf = (form) => [...form.elements].filter((field) => field.matches("textarea, select, [name^=initial-]"));

  document.addEventListener("submit", ({ target }) => {
    sending = true;
    const others = forms.filter((form) => form !== target && isDirty(form));
    const typed = others.flatMap(fieldsOf).map((field) => [field.id, field.value]);
    if (typed.length) sessionStorage.setItem(draft, JSON.stringify(typed));
  });

  for (const [id, value] of JSON.parse(sessionStorage.getItem(draft) ?? "[]")) {
    const field = document.getElementById(id);
    if (field) field.value = value;
  }
  sessionStorage.removeItem(draft);

  const edit = document.getElementById("edit");
  edit?.addEventListener("toggle", () => edit.open && edit.querySelector("textarea").focus());

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.matches("textarea")) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  });

  addEventListener("beforeunload", (event) => {
    if (!sending && forms.some(isDirty)) event.preventDefault();
  });
  addEventListener("pageshow", () => {
    sending = false;
    // Typed text is in sight, also where a browser has restored it.
    for (const form of forms.filter(isDirty)) form.closest("details")?.setAttribute("open", "");
  });
})();
