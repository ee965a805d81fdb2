"""
Parsers: pure functions from what a system sends to what is to be done.

`reading.read` turns a body into an object, `parse` an object into parts, `preview.preview` parts into sentences.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from intake.parsers import alertmanager, generic, sentry, uptime_kuma
from intake.parsers.paths import NOWHERE, Paths
from intake.parsers.types import Part


class Format(TextChoices):
    ALERTMANAGER = "alertmanager", _("Alertmanager, Grafana")
    GENERIC = "generic", _("any JSON, by paths")
    SENTRY = "sentry", "Sentry"
    UPTIME_KUMA = "uptime_kuma", "Uptime Kuma"


def parse(kind: str, payload: Mapping[str, Any], paths: Paths = NOWHERE) -> Iterator[Part]:
    """Yields the parts of a call in this format, by the `paths` of its sender. Raises ValueError: unknown format."""
    match Format(kind):
        case Format.ALERTMANAGER:
            return alertmanager.parse(payload, paths)
        case Format.GENERIC:
            return generic.parse(payload, paths)
        case Format.SENTRY:
            return sentry.parse(payload, paths)
        case Format.UPTIME_KUMA:
            return uptime_kuma.parse(payload, paths)
