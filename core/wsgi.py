import math
import socket
import threading
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

# The largest body that is allowed (20 MiB, intake) and a little more, so that a client that sends too much reads a 413
# and not a broken connection.
MAX_DISCARDED_BYTES = 25 * 2**20
BLOCK_BYTES = 2**20
DISCARD_SECONDS = 10.0


class Request(WSGIRequest):
    """
    A request that is decoded as UTF-8, whatever charset its Content-Type names.

    JSON and URL-encoded forms have no such parameter (RFC 8259, 11; https://url.spec.whatwg.org/#urlencoded-parsing),
    and Django would decode even the query string with any Python codec of that name.
    """

    encoding = property(lambda self: None, lambda self, charset: None)  # None is UTF-8

    def __init__(self, environ: dict[str, Any]) -> None:
        try:
            super().__init__(environ)
        except (BadRequest, LookupError, ValueError):
            # Only Content-Type is parsed here. The type of an unknown body: RFC 9110, 8.3.
            super().__init__(environ | {"CONTENT_TYPE": "application/octet-stream"})


class Body:
    """`wsgi.input` as far as Django uses it; counts the bytes that are left."""

    def __init__(self, environ: dict[str, Any]) -> None:
        self.input = environ["wsgi.input"]
        self._socket: socket.socket | None = environ.get("gunicorn.socket")
        self._ended = False
        # Not of the development server: a body in chunks seems empty there.
        self._terminated = environ.get("wsgi.input_terminated", False)
        self.left: float = math.inf
        # Without both of them a request has no body: RFC 9112, 6.3.
        if "HTTP_TRANSFER_ENCODING" not in environ:
            with suppress(ValueError):
                self.left = int(environ.get("CONTENT_LENGTH") or 0)

    def read(self, size: int) -> bytes:
        return self._count(self.input.read(size))

    def readline(self, size: int) -> bytes:
        return self._count(self.input.readline(size))

    def _count(self, data: bytes) -> bytes:
        self.left = self.left - len(data) if data else 0
        return data

    def discard(self) -> bool:
        """Reads what is left. Returns false if that is too much or takes too long: the connection must be closed."""
        if self.left <= 0:
            return True
        if MAX_DISCARDED_BYTES < self.left < math.inf or (self.left == math.inf and not self._terminated):
            return False
        # A slow client must not occupy one of the few threads for long, and a read has no timeout of its own.
        timer = threading.Timer(DISCARD_SECONDS, self._end)
        timer.start()
        try:
            budget = MAX_DISCARDED_BYTES
            while self.left > 0 and budget > 0:
                budget -= len(self.read(min(BLOCK_BYTES, budget)))
        except Exception:  # each server has its own for a lost connection, a malformed chunk
            return False
        finally:
            timer.cancel()
            timer.join()
        return self.left <= 0 and not self._ended

    def _end(self) -> None:
        """Makes a blocked read return. Not on granian, which must be behind a proxy that buffers bodies."""
        if self._socket:
            self._ended = True
            with suppress(OSError):  # the client is gone already
                self._socket.shutdown(socket.SHUT_RD)


class Handler(WSGIHandler):
    """
    Django's, which reads a request to its end before it responds, or else announces that the connection closes.

    A proxy sends another client's request on the connection as soon as it has the response. gunicorn and granian
    promise to keep the connection, and close it nevertheless if a body was not read: that client's POST would be lost.
    """

    request_class = Request

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        prefix, path = settings.FORCE_SCRIPT_NAME, environ["PATH_INFO"]
        if prefix and f"{path}/".startswith(f"{prefix}/"):  # else the proxy has taken it off
            environ["PATH_INFO"] = path.removeprefix(prefix)
        body = environ["wsgi.input"] = Body(environ)

        def respond(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if not body.discard():
                if close := getattr(body.input, "close_connection", None):
                    close()  # docker/gunicorn.conf.py: gunicorn ignores the header
                elif environ.get("SERVER_SOFTWARE") == "Granian":
                    headers = [*headers, ("Connection", "close")]
                else:  # The development server refuses the header, and closes after a response of unknown length.
                    headers = [(name, value) for name, value in headers if name != "Content-Length"]
            return start_response(status, headers, exc_info)

        return super().__call__(environ, respond)
