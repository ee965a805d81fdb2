"use strict";

const SCHEME = "jwtAuth"; // its name in the document
const container = document.querySelector("#swagger-ui");
const form = document.querySelector("#log-in");
const message = form.querySelector("output");

const ui = SwaggerUIBundle({
  domNode: container,
  url: container.dataset.document,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: -1, // ReDoc shows the schemas.
  requestInterceptor: (request) => {
    // The document's server has the scheme that the service sees, which a proxy may not pass on.
    const { pathname, search } = new URL(request.url, location);
    request.url = location.origin + pathname + search;
    return request;
  },
  responseInterceptor: (response) => {
    if (response.ok && new URL(response.url).pathname === form.getAttribute("action")) {
      ui.preauthorizeApiKey(SCHEME, response.body.access);
    }
    return response;
  },
  onComplete: () => {
    form.querySelector("button").disabled = false; // The scheme is known from here on.
  },
});

function show(state, text) {
  form.className = state;
  message.value = text;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { username, password } = Object.fromEntries(new FormData(form));
  try {
    const response = await fetch(form.action, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username, password }),
    });
    const body = await response.json();
    if (response.ok) {
      ui.preauthorizeApiKey(SCHEME, body.access);
      form.password.value = "";
      show("done", `${message.dataset.done} ${username}`);
    } else {
      show("failed", body.errors[0].detail);
    }
  } catch {
    show("failed", message.dataset.unreachable);
  }
});
