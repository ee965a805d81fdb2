"""Chromium as an operator's desk: pages that are watched, and presses that are counted."""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright

PASSWORD = "correct horse battery"  # of every user
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
AXE = Path(__file__).parents[1] / "e2e/node_modules/axe-core/axe.min.js"

# What is wider than the page, and text that its own box or a box around it cuts. Two lines of a longer text
# (line-clamp), an ellipsis with the whole text in `title`, and code that scrolls are meant to be so. The bundles of
# Swagger UI and ReDoc are not ours.
MEASURE = """() => {
  const faults = [], page = document.scrollingElement, width = page.clientWidth;
  if (page.scrollWidth > width) faults.push(`the page is ${page.scrollWidth} wide, the window ${width}`);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let text; (text = texts.nextNode()); ) {
    const words = text.data.trim(), parent = text.parentElement;
    const visible = { opacityProperty: true, visibilityProperty: true };
    if (!words || parent.closest("pre, code, textarea, select, svg, #redoc, #swagger-ui")) continue;
    if (!parent.checkVisibility(visible)) continue;
    range.selectNodeContents(text);
    const box = range.getBoundingClientRect();
    for (let around = parent; around && box.width; around = around.parentElement) {
      const style = getComputedStyle(around), edge = around.getBoundingClientRect();
      if (style.clip !== "auto") break; // for screen readers
      if (around === document.body) {
        if (box.right > width + 1 || box.left < -1) faults.push(`outside the window: ${words}`);
        break;
      }
      if (style.webkitLineClamp !== "none") break;
      if (style.textOverflow === "ellipsis" && around.title) break;
      const across = style.overflowX !== "visible" && (box.right > edge.right + 1 || box.left < edge.left - 1);
      const down = /hidden|clip/.test(style.overflowY) && (box.bottom > edge.bottom + 2 || box.top < edge.top - 2);
      if (across || down) { faults.push(`cut by <${around.localName} class="${around.className}">: ${words}`); break; }
    }
  }
  return faults.map((fault) => fault.slice(0, 200));
}"""

# Colours are judged when transitions, such as that to dark, have ended.
RUN_AXE = """async (options) => {
  await Promise.all(document.getAnimations().map((animation) => animation.finished));
  return axe.run(options.context ?? document, options);
}"""

AXE_OPTIONS = {"resultTypes": ["violations"], "preload": False, "rules": {"target-size": {"enabled": True}}}


@contextmanager
def chromium(playwright: Playwright) -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    browser = playwright.chromium.launch(executable_path=program, args=quiet)
    yield browser
    browser.close()


class Desk:
    """
    A person at a browser, in Russian. `faults` are what no page may have: complaints in the console, uncaught errors,
    requests that fail or leave the host, and on a phone what is wider than the page.
    """

    def __init__(self, context: BrowserContext, url: str, name: str) -> None:
        self.context, self.url, self.name = context, url, name
        self.faults: list[str] = []
        self.presses = 0
        context.set_default_timeout(30_000)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"uncaught: {error.error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        self.page = context.new_page()

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"console of {message.page.url if message.page else '?'}: {message.text}")

    def _request(self, request: Any) -> None:
        if urlsplit(request.url).scheme not in ("data", "blob") and not request.url.startswith(f"{self.url}/"):
            self.faults.append(f"asks another host: {request.url}")

    def _failed(self, request: Any) -> None:
        # A page that is left, and a download, end what is still loading.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"{request.failure}: {request.url}")

    def expect_fault(self, pattern: str) -> None:
        """One fault that the test provokes, such as the browser's own complaint about a 403."""
        found = [fault for fault in self.faults if re.search(pattern, fault)]
        assert found, self.faults
        self.faults.remove(found[0])

    @property
    def phone(self) -> bool:
        return bool(self.page.viewport_size and self.page.viewport_size["width"] < 500)

    def goto(self, path: str) -> Page:
        self.page.goto(f"{self.url}{path}")
        return self.page

    def press(self, target: Locator) -> None:
        self.presses += 1
        if self.phone:
            target.tap()
        else:
            target.click()

    @contextmanager
    def task(self, name: str, presses: int, path: str = "/api/admin/") -> Iterator[Page]:
        """From `path`, done in so many presses; prints how long it took."""
        self.goto(path)
        self.presses, start = 0, time.monotonic()
        yield self.page
        print(f"{self.name}, {name}: {self.presses} presses, {time.monotonic() - start:.1f} s")
        assert self.presses == presses

    def look(self, name: str = "", *, whole: bool = True) -> None:
        """A screenshot, and on a phone the check that nothing is cut."""
        folder = Path(__file__).parents[1] / "e2e/screenshots"
        folder.mkdir(exist_ok=True)
        for number, page in enumerate(self.context.pages):
            suffix = f"-{number}" if number else ""
            whole = whole and page.evaluate("() => document.scrollingElement.scrollHeight < 6000")
            page.screenshot(path=folder / f"{self.name}{name and '-'}{name}{suffix}.png", full_page=whole)
            if self.phone:
                self.faults += [f"{page.url}: {fault}" for fault in page.evaluate(MEASURE)]

    def accessibility(self, **options: Any) -> list[str]:
        """What axe-core finds of impact serious or critical, the size of targets (WCAG 2.2) among it."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text())
        found = self.page.evaluate(RUN_AXE, AXE_OPTIONS | options)
        return [
            f"{rule['id']}: {node['html'][:160]} ({node['failureSummary'].splitlines()[-1].strip()})"
            for rule in found["violations"]
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]
