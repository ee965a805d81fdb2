"""Calls the WSGI application directly: Django's test client cannot send malformed requests."""

import io
import json
from dataclasses import dataclass
from typing import Any

from config.wsgi import application


@dataclass(frozen=True)
class WSGIResponse:
    status_code: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


def wsgi_request(method: str, path: str, body: bytes = b"", **environ: str) -> WSGIResponse:
    """`path` is percent-decoded Latin-1, as in PEP 3333. `environ` overrides the defaults."""
    given: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
        **environ,
    }
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started.append((status, headers))

    response = application(given, start_response)
    try:
        content = b"".join(response)
    finally:
        getattr(response, "close", lambda: None)()
    ((status, headers),) = started
    return WSGIResponse(int(status.split()[0]), dict(headers), content)
