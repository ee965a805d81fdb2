"""Reads the body of a call as JSON, if necessary a second time with repairs for what careless templates produce."""

import json
import re
from typing import Any

from intake.parsers.types import Notice, Reason

# A string, or an unquoted placeholder in place of a value, such as Zabbix's {EVENT.TAGSJSON} and *UNKNOWN*.
# The possessive quantifiers and the optional closing quote keep it linear on hostile input.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|(?P<bare>\{[$#]?[A-Z][A-Z0-9_.]*\}|\*UNKNOWN\*)', re.DOTALL)
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|\\')


class UnreadableError(ValueError):
    """The body is not JSON (Reason.UNREADABLE) or not an object (Reason.NOT_AN_OBJECT)."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.label)
        self.reason = reason


def read(body: bytes) -> tuple[dict[str, Any], list[Notice]]:
    """
    The JSON object in the body, and a notice if it had to be repaired. Raises UnreadableError.

    The repairs: raw control characters in strings, invalid escapes, unquoted placeholders, invalid UTF-8.
    """
    notices = []
    try:
        payload = json.loads(body)
    except RecursionError:
        raise UnreadableError(Reason.UNREADABLE) from None
    except ValueError:
        notices.append(Notice(Reason.REPAIRED))
        try:
            payload = json.loads(_TOKEN.sub(_repair, body.decode("utf-8-sig", "replace")), strict=False)
        except (RecursionError, ValueError):
            raise UnreadableError(Reason.UNREADABLE) from None
    if not isinstance(payload, dict):
        raise UnreadableError(Reason.NOT_AN_OBJECT)
    return payload, notices


def _repair(token: re.Match[str]) -> str:
    if token["bare"]:
        return f'"{token["bare"]}"'
    return _ESCAPE.sub(lambda escape: escape[0] if len(escape[0]) > 1 else r"\\", token[0])
