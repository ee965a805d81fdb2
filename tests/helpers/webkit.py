"""WebKit, as on an iPhone or in Safari, driven by WebKitGTK's own WebDriver on a screen of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.helpers.servers import free_port, wait_until

BROWSERS = "/usr/lib/*-linux-*/webkit2gtk-4.?/MiniBrowser"


class WebKit:
    def __init__(self, url: str) -> None:
        options = {"binary": str(next(Path("/").glob(BROWSERS[1:]))), "args": ["--automation"]}
        wanted = {"alwaysMatch": {"browserName": "MiniBrowser", "webkitgtk:browserOptions": options}}
        self.session = f"{url}/session/{self._post(f'{url}/session', capabilities=wanted)['sessionId']}"

    def _post(self, url: str, /, **body: Any) -> Any:
        response = requests.post(url, json=body, timeout=60)
        response.raise_for_status()
        return response.json()["value"]

    def goto(self, url: str) -> None:
        self._post(f"{self.session}/url", url=url)

    def evaluate(self, script: str) -> Any:
        return self._post(f"{self.session}/execute/sync", script=f"return {script}", args=[])

    def add_cookie(self, name: str, value: str) -> None:
        self._post(f"{self.session}/cookie", cookie={"name": name, "value": value, "path": "/", "domain": "127.0.0.1"})

    def resize(self, width: int, height: int) -> None:
        self._post(f"{self.session}/window/rect", width=width, height=height)

    def quit(self) -> None:
        requests.delete(self.session, timeout=30)


@contextmanager
def webkit() -> Iterator[WebKit]:
    with ExitStack() as stack:

        def start(*command: str, **options: Any) -> None:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
            stack.callback(process.wait)
            stack.callback(process.terminate)

        reading, writing = os.pipe()
        start(shutil.which("Xvfb") or "Xvfb", "-displayfd", str(writing), "-nolisten", "tcp", pass_fds=[writing])
        os.close(writing)
        with os.fdopen(reading) as display:
            environment = os.environ | {"DISPLAY": f":{display.readline().strip()}", "LIBGL_ALWAYS_SOFTWARE": "1"}
        # Its sandbox needs user namespaces, which containers lack.
        environment["WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS"] = "1"
        port = free_port()
        start("WebKitWebDriver", f"--port={port}", env=environment)
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url), 30)
        browser = WebKit(url)
        stack.callback(browser.quit)
        yield browser


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/status", timeout=5).ok
    except requests.ConnectionError:
        return False
