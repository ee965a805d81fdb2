"use strict";

// The bundle loads its maker's logo from a CDN, which the Content-Security-Policy forbids. React sets `src` both ways.
HTMLImageElement.prototype.setAttribute = function (name, value) {
  if (name === "src" && new URL(value, location).host !== location.host) return;
  Element.prototype.setAttribute.call(this, name, value);
};
Object.defineProperty(HTMLImageElement.prototype, "src", {
  set(value) {
    this.setAttribute("src", value);
  },
});

const container = document.querySelector("#redoc");
Redoc.init(
  container.dataset.document,
  {
    expandResponses: "200,201",
    hideSchemaPattern: true,
    jsonSamplesExpandLevel: "all",
    nativeScrollbars: true,
    theme: { typography: { fontFamily: "system-ui, sans-serif", headings: { fontFamily: "system-ui, sans-serif" } } },
  },
  container,
);
