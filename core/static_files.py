from http import HTTPStatus
from typing import Any

from whitenoise import responders


class StaticFile(responders.StaticFile):
    """Serves ranges of one byte, for which WhiteNoise 6.11 sends 416."""

    def get_range_response(self, range_header: str, base_headers: Any, file_handle: Any) -> responders.Response:
        size = int(dict(base_headers)["Content-Length"])
        start, end = self.get_byte_range(range_header, size)
        if start != end:
            return super().get_range_response(range_header, base_headers, file_handle)
        headers = [(name, value) for name, value in base_headers if name != "Content-Length"]
        headers += [("Content-Length", "1"), ("Content-Range", f"bytes {start}-{end}/{size}")]
        content = responders.SlicedFile(file_handle, start, end) if file_handle else None
        return responders.Response(HTTPStatus.PARTIAL_CONTENT, headers, content)
