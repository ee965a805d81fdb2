"""Conditional requests: If-Match and If-None-Match (RFC 9110, 13.1.1 and 13.1.2)."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.utils.http import parse_etags

# What compressing proxies make of a strong tag: "x-gzip" (Apache, Caddy, lighttpd), "x--gzip" (Jetty), W/"x" (nginx).
COMPRESSED = re.compile(r'(?:-{1,2}(?:gzip|br|zstd|deflate|compress|bzip2))+"\Z')


class Preconditions(NamedTuple):
    """The values of the headers, None if the request has none."""

    if_match: str | None = None
    if_none_match: str | None = None

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> "Preconditions":
        return cls(environ.get("HTTP_IF_MATCH"), environ.get("HTTP_IF_NONE_MATCH"))

    def failed(self, etag: str) -> bool:
        """Returns whether a change must be refused with 412."""
        return self.if_match_fails(etag) or self.if_none_match_fails(etag)

    def if_match_fails(self, etag: str) -> bool:
        return self.if_match is not None and not _matches(self.if_match, etag)

    def if_none_match_fails(self, etag: str) -> bool:
        """Returns whether the response to a GET is 304."""
        return self.if_none_match is not None and _matches(self.if_none_match, etag)


def _matches(header: str, etag: str) -> bool:
    """Returns whether the list of tags, or `*`, matches, as a compressing proxy may have changed them."""
    tags = [COMPRESSED.sub('"', tag.removeprefix("W/")) for tag in parse_etags(header)]
    return "*" in tags or etag in tags
