"""Exports, one at a time for each process: each occupies one of its few threads until the client has read the file."""

import threading
from collections.abc import Callable, Iterator

from django.http import StreamingHttpResponse

sending = threading.Lock()


class _Content:
    """The content of a response. The server closes it, also when the client has gone."""

    def __init__(self, content: Iterator[bytes], lock: threading.Lock) -> None:
        self._content = content
        self._lock: threading.Lock | None = lock

    def __iter__(self) -> Iterator[bytes]:
        return self._content

    def close(self) -> None:
        if self._lock:
            self._lock.release()
            self._lock = None

    __del__ = close  # of a response that was dropped on its way to the server


def send(export: Callable[[], StreamingHttpResponse]) -> StreamingHttpResponse | None:
    """Returns the response of `export`; None while another one is being sent."""
    lock = sending
    if not lock.acquire(blocking=False):
        return None
    try:
        response = export()
        response.streaming_content = _Content(iter(response), lock)
    except BaseException:
        lock.release()
        raise
    return response
