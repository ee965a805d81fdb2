"""The buttons that set an incident's status: on its page, and in its row of the list and of the board."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from incidents.models import Status

LABELS = {
    Status.IN_PROGRESS: _("Take"),
    Status.RESOLVED: _("Resolve"),
    Status.CLOSED: _("Close"),
    Status.OPEN: _("Reopen"),
}
IN_ROW: dict[str, tuple[Status, ...]] = {
    Status.OPEN: (Status.IN_PROGRESS, Status.RESOLVED),
    Status.IN_PROGRESS: (Status.RESOLVED,),
    Status.RESOLVED: (Status.OPEN,),
    Status.CLOSED: (Status.OPEN,),
}
USUAL_NEXT: dict[str, Status] = {
    Status.OPEN: Status.IN_PROGRESS,
    Status.IN_PROGRESS: Status.RESOLVED,
    Status.RESOLVED: Status.CLOSED,
}


def in_row(status: str) -> list[tuple[Status, Any]]:
    """Returns the status that each button sets, and its label."""
    return [(new, LABELS[new]) for new in IN_ROW[status]]


def on_page(status: str) -> list[tuple[Status, Any, bool]]:
    """Returns what `in_row` does, for every other status, and whether that is the usual next one."""
    return [(new, label, new == USUAL_NEXT.get(status)) for new, label in LABELS.items() if new != status]
