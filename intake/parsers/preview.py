"""What a call would become, in words: for the administrator who sets up its sender."""

from collections.abc import Iterable
from dataclasses import replace

from django.utils.translation import gettext as _

from intake.parsers.types import Fault, Ignored, Notice, Part, Report, Resolution


def preview(parts: Iterable[Part]) -> list[str]:
    """Writes one sentence for each part, in the language of the reader."""
    return [_sentence(part) for part in parts]


def _sentence(part: Part) -> str:
    match part:
        case Report(urgent=True):
            return _("Urgent. %s") % _sentence(replace(part, urgent=False))
        case Report(fingerprint=None):
            return _("Separate incident: %s") % part.description
        case Report():
            return _("Incident “%(fingerprint)s”: %(description)s") % vars(part)
        case Resolution():
            return _("Resolves “%s”") % part.fingerprint
        case Fault():
            return _("Fault: %s") % part.error.label
        case Ignored():
            return _("Nothing: %s") % part.reason.label
        case Notice():
            return _("Warning: %s") % ": ".join(filter(None, (str(part.warning.label), part.detail)))
