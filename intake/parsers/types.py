"""What a call becomes: the parsers yield one or more of these for each of its parts."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Reason(TextChoices):
    """Why a part did not become an incident, or needs attention; the value is for storage, the label for display."""

    # Faults
    UNREADABLE = "unreadable", _("the body is not JSON")
    FORM = "form", _("the form has no fields, too many fields or too much text")
    NOT_AN_OBJECT = "not_an_object", _("not a JSON object")
    NO_ALERTS = "no_alerts", _("the field “alerts” is not a list")
    LABELS = "labels", _("the field “labels” is not an object")
    EMPTY = "empty", _("the alert has neither labels nor annotations nor a fingerprint")
    UNKNOWN_STATUS = "unknown_status", _("unknown status")
    UNKNOWN_CALL = "unknown_call", _("the payload does not have the format that the sender is set up for")
    RESOLVED_WITHOUT_ID = "resolved_without_id", _("resolved, but the call does not identify the problem")
    # Ignored
    NOTHING_IN_IT = "nothing_in_it", _("the list of alerts is empty")
    TEST_MESSAGE = "test_message", _("a test message")
    NO_REPORT = "no_report", _("neither a problem nor its end")
    NOTHING_TO_RESOLVE = "nothing_to_resolve", _("nothing to resolve")
    LATE = "late", _("late: the problem is known to have ended")
    # Notices
    REPAIRED = "repaired", _("the body was invalid JSON and was repaired")
    FILES = "files", _("files left out")
    CUT = "cut", _("the body has too many values, only the first were read")
    TRUNCATED = "truncated", _("alerts left out by the sender")
    NO_ID = "no_id", _("nothing identifies the problem: each such call becomes a separate incident")
    VARIES = "varies", _("an open problem's id came with another description: does it name one problem alone?")


@dataclass(frozen=True)
class Report:
    """
    A problem that exists.

    `fingerprint` (at most 200 characters) joins it with its repeats and its resolution; None means that nothing does.
    `description` is valid for an incident. `starts_at` is in UTC, None if unknown. `index` is the position in the call.
    `urgent` is by the sender's settings.
    """

    fingerprint: str | None
    description: str
    starts_at: datetime | None = None
    index: int = 0
    urgent: bool = False


@dataclass(frozen=True)
class Resolution:
    """A problem that is over. `ends_at` comes from the sender's clock, in UTC, and may be in the future."""

    fingerprint: str
    ends_at: datetime | None = None
    index: int = 0


@dataclass(frozen=True)
class Fault:
    """A part that could not be understood. `index` is None if it is the whole call."""

    index: int | None
    error: Reason


@dataclass(frozen=True)
class Ignored:
    """A part that was understood and is not about a problem."""

    reason: Reason
    index: int = 0


@dataclass(frozen=True)
class Notice:
    """A warning in addition to the other parts. `detail` is a number, for example how many alerts are missing."""

    warning: Reason
    detail: str = ""
    index: int | None = None


Part = Report | Resolution | Fault | Ignored | Notice
