"""
What the document says of texts in words only: a visible character, no NUL, and outer white space is removed.

A text that is too long for the schema may so be short enough for the service; it is left out.
"""

from typing import Any

import schemathesis

from incidents.text import DESCRIPTION_MAX_LENGTH, is_blank, normalize_line_breaks


@schemathesis.hook
def filter_body(context: Any, body: Any) -> bool:
    texts = [body.get(name) for name in ("description", "text")] if isinstance(body, dict) else []
    return not any(isinstance(text, str) and _is_beyond_the_schema(text) for text in texts)


def _is_beyond_the_schema(text: str) -> bool:
    fits_when_stripped = len(normalize_line_breaks(text).strip()) <= DESCRIPTION_MAX_LENGTH < len(text)
    return is_blank(text) or "\0" in text or fits_when_stripped


@schemathesis.hook
def filter_query(context: Any, query: Any) -> bool:
    search = str((query or {}).get("search"))
    return "\0" not in search and "\r\n" not in search  # which counts as one character
