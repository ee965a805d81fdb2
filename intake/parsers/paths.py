"""
What is where in a JSON object or a form, by paths that a sender is set up with.

A path is keys and list indexes separated by dots: `data.issue.id`, `events.0.name` or `events[0].name`. JMESPath was
considered: it rejects `events.0.name`, needs quotes around `event-id`, and its queries are not needed to name a value.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from intake.parsers.values import text

PATH_MAX_LENGTH = 200
MAX_JSON_LENGTH = 256 * 1024  # characters of a string that is looked into


@dataclass(frozen=True)
class Paths:
    """
    Where to find what in a payload; empty if nowhere. Raises ValueError if malformed.

    `resolved` is PATH=VALUE, `urgent` may have several values, with commas between them.
    """

    description: str = ""
    dedup: str = ""
    resolved: str = ""
    urgent: str = ""

    def __post_init__(self) -> None:
        resolved, _equals, value = self.resolved.partition("=")
        if self.resolved and not (resolved and value):
            raise ValueError(_("“%s” is not PATH=VALUE.") % self.resolved)
        urgent, _equals, values = self.urgent.partition("=")
        if self.urgent and not (urgent and all(map(str.strip, values.split(",")))):
            raise ValueError(_("“%s” is neither PATH=VALUE nor PATH=VALUE,VALUE.") % self.urgent)
        for path in filter(None, (self.description, self.dedup, resolved, urgent)):
            if len(path) > PATH_MAX_LENGTH or not all(_steps(path)):
                raise ValueError(_("“%s” is not a path: keys and list indexes with dots between them.") % path)

    def is_resolved(self, payload: Any) -> bool:
        path, _equals, value = self.resolved.partition("=")
        return bool(path) and _is_one_of(find(payload, path), [value])

    def is_urgent(self, payload: Any) -> bool:
        """Takes what is about one problem: an alert of Alertmanager's, an issue or event of Sentry's, else the call."""
        path, _equals, values = self.urgent.partition("=")
        return bool(path) and _is_one_of(find(payload, path), values.split(","))


NOWHERE = Paths()


def find(payload: Any, path: str) -> Any:
    """Finds the value at the path, or None. Strings that hold JSON are looked into: forms have no others."""
    if not path:
        return None
    value = payload
    for step in _steps(path):
        if isinstance(value, str):
            value = _parsed(value)
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            value = None
            break
    # Fields of forms have names such as `event.id` and `event[id]`.
    return payload.get(path) if value is None and isinstance(payload, dict) else value


def _parsed(value: str) -> Any:
    try:
        return json.loads(value) if len(value) <= MAX_JSON_LENGTH else None
    except (RecursionError, ValueError):
        return None


def _is_one_of(value: Any, wanted: Iterable[str]) -> bool:
    # Case-insensitive: a person may write True for JSON's true, or up for Up.
    return text(value).strip().casefold() in [each.strip().casefold() for each in wanted]


def _steps(path: str) -> list[str]:
    return re.sub(r"\[(\d+)\]", r".\1", path).removeprefix(".").split(".")
