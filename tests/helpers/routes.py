"""The routes of the URL configuration."""

import re
from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

ID = 1000  # in place of every variable of a path


def routes(resolver: URLResolver | None = None, prefix: str = "/") -> Iterator[tuple[str, URLPattern]]:
    """Path, without its last slash, and pattern of each route; the admin's pages are left out."""
    for entry in (resolver or get_resolver()).url_patterns:
        pattern = re.sub(r"\(\?P<\w+>.*?\)|<.+?>", str(ID), str(entry.pattern).strip("^$").removesuffix("/?"))
        if isinstance(entry, URLPattern):
            yield (prefix + pattern).rstrip("/") or "/", entry
        elif entry.app_name != "admin":
            yield from routes(entry, prefix + pattern)
