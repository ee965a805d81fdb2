"""What the document says of texts in words only: a visible character, and no NUL."""

from typing import Any

import schemathesis

from incidents.text import is_blank


@schemathesis.hook
def filter_body(context: Any, body: Any) -> bool:
    texts = [body.get(name) for name in ("description", "text")] if isinstance(body, dict) else []
    return not any(isinstance(text, str) and (is_blank(text) or "\0" in text) for text in texts)


@schemathesis.hook
def filter_query(context: Any, query: Any) -> bool:
    return "\0" not in str((query or {}).get("search"))
