"""The body of a call: read once, in pieces, and of the large ones few at a time."""

import fcntl
import io
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

from django.http import HttpRequest, UnreadablePostError
from rest_framework.exceptions import ParseError

from core.api.exceptions import RequestTooLarge, ServiceUnavailable
from intake.inbox import LARGE_SIZE

MAX_SIZE = 20 * 1024 * 1024
MAX_LARGE = 4  # bodies over LARGE_SIZE at a time, of all processes of a host; each takes about four times its size
MAX_WAIT_SECONDS = 5.0
CHUNK_SIZE = 64 * 1024


class Body:
    """
    The body of a request, which is not read before it is asked for: a wrong secret is refused without it.

    As a context manager it holds a place for a large body.
    """

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.places = ExitStack()
        self.content: bytes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.content = None  # not when the garbage collector comes to the request
        self.places.close()

    def read(self) -> bytes:
        """
        Returns the body; empty without a Content-Length.

        Raises RequestTooLarge, ParseError if the connection ended before the body did, ServiceUnavailable if too many
        others are large.
        """
        if self.content is None:
            self.content = self._read(int(self.request.META.get("CONTENT_LENGTH") or 0))
        return self.content

    def _read(self, length: int) -> bytes:
        if length > MAX_SIZE:
            raise RequestTooLarge
        if length > LARGE_SIZE:
            self.places.enter_context(_Place())
        # BytesIO gives its bytes away without a copy.
        content = io.BytesIO()
        try:
            while chunk := self.request.read(min(CHUNK_SIZE, length - content.tell())):
                content.write(chunk)
        except UnreadablePostError:
            raise ParseError from None
        if content.tell() < length:
            raise ParseError
        return content.getvalue()


class _Place:
    """
    One of MAX_LARGE places. Raises ServiceUnavailable if none becomes free within MAX_WAIT_SECONDS.

    Locks of files are shared by all processes, and end with the process that holds them, however it ends.
    """

    def __enter__(self) -> None:
        until = monotonic() + MAX_WAIT_SECONDS
        while not self._take():
            if monotonic() > until:
                raise ServiceUnavailable
            sleep(0.05)

    def __exit__(self, *exc: Any) -> None:
        os.close(self.file)

    def _take(self) -> bool:
        for number in range(MAX_LARGE):
            path = Path(tempfile.gettempdir(), f"incidents-{os.getuid()}-large-body-{number}")
            self.file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self.file)
            else:
                return True
        return False
