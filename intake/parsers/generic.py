"""Any JSON object or form, read by the paths that its sender was set up with."""

from collections.abc import Iterator, Mapping
from typing import Any

from incidents.text import is_blank
from intake.parsers import uptime_kuma
from intake.parsers.paths import Paths, find
from intake.parsers.types import Fault, Ignored, Notice, Part, Reason, Report, Resolution
from intake.parsers.values import describe, fingerprint, text


def parse(payload: Mapping[str, Any], paths: Paths) -> Iterator[Part]:
    """Returns the single report or resolution in the call, with a notice if nothing identifies it."""
    if uptime_kuma.is_test(payload):
        yield Ignored(Reason.TEST_MESSAGE)
        return
    identity = fingerprint(find(payload, paths.dedup))
    if paths.is_resolved(payload):
        yield Resolution(identity) if identity else Fault(0, Reason.RESOLVED_WITHOUT_ID)
        return
    if paths.dedup and not identity:
        yield Notice(Reason.NO_ID)
    description = text(find(payload, paths.description))
    if is_blank(description):
        description = text(payload)
    yield Report(identity, describe([description], fallback="?"), urgent=paths.is_urgent(payload))
