"""
Any JSON object or form, read by the paths that its sender was set up with.

A path is keys and list indexes separated by dots: `data.issue.id`, `events.0.name` or `events[0].name`. JMESPath was
considered: it rejects `events.0.name`, needs quotes around `event-id`, and its queries are not needed to name a value.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from intake.parsers import uptime_kuma
from intake.parsers.types import Fault, Ignored, Notice, Part, Reason, Report, Resolution
from intake.parsers.values import describe, fingerprint, text

PATH_MAX_LENGTH = 200
MAX_JSON_LENGTH = 256 * 1024  # characters of a string that is looked into


@dataclass(frozen=True)
class Paths:
    """Where to find what in a payload; empty if nowhere. `resolved` is PATH=VALUE. Raises ValueError if malformed."""

    description: str = ""
    dedup: str = ""
    resolved: str = ""

    def __post_init__(self) -> None:
        resolved, _equals, value = self.resolved.partition("=")
        if self.resolved and not (resolved and value):
            raise ValueError(_("“%s” is not PATH=VALUE.") % self.resolved)
        for path in filter(None, (self.description, self.dedup, resolved)):
            if len(path) > PATH_MAX_LENGTH or not all(_steps(path)):
                raise ValueError(_("“%s” is not a path: keys and list indexes with dots between them.") % path)


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


def parse(payload: Mapping[str, Any], paths: Paths) -> Iterator[Part]:
    """Returns the single report or resolution in the call, with a notice if nothing identifies it."""
    if uptime_kuma.is_test(payload):
        yield Ignored(Reason.TEST_MESSAGE)
        return
    identity = fingerprint(find(payload, paths.dedup))
    if _is_resolved(payload, paths.resolved):
        yield Resolution(identity) if identity else Fault(0, Reason.RESOLVED_WITHOUT_ID)
        return
    if paths.dedup and not identity:
        yield Notice(Reason.NO_ID)
    description = text(find(payload, paths.description)).strip() or text(payload)
    yield Report(identity, describe([description], fallback="?"))


def _is_resolved(payload: Mapping[str, Any], condition: str) -> bool:
    path, _equals, value = condition.partition("=")
    # Case-insensitive: a person may write True for JSON's true, or up for Up.
    return bool(condition) and text(find(payload, path)).strip().casefold() == value.strip().casefold()


def _steps(path: str) -> list[str]:
    return re.sub(r"\[(\d+)\]", r".\1", path).removeprefix(".").split(".")
