"""The files of an incident on its page: shown beside the words they came with, added, fetched again, deleted."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _

from incidents.actors import Named
from incidents.attachments import serving
from incidents.attachments.content import Content, clean_name, read_content
from incidents.attachments.services import (
    StoredFile,
    add_attachment,
    delete_attachment,
    discard_file,
    ensure_room,
    retry_attachment,
    save_file,
)
from incidents.models import Attachment, Channel, Incident, IncidentChange

logger = logging.getLogger(__name__)

# Browsers show these and run nothing in them.
SHOWN = {"image/jpeg", "image/png", "image/gif", "image/webp"}
TOGETHER = timedelta(minutes=5)  # between a file and what it came with


@dataclass
class Row:
    """A row of the time line: an entry, the files that came with it, and the comment that says why."""

    entry: IncidentChange
    last_at: datetime
    files: list[Attachment] = field(default_factory=list)
    reason: IncidentChange | None = None

    def takes(self, entry: IncidentChange) -> bool:
        """Returns whether the file of this entry belongs to this row: words may have files, changes of status none."""
        author = (entry.actor, entry.channel)
        is_recorded = self.entry.changes.get("description", [""])[0] is None
        return (
            author == (self.entry.actor, self.entry.channel)
            and entry.at - self.last_at <= TOGETHER
            and bool(self.files or is_recorded or "comment" in self.entry.changes)
        )

    def is_explained_by(self, entry: IncidentChange) -> bool:
        """Returns whether the entry is the comment that came with this change of the status, by the same press."""
        press = (self.entry.request_id, self.entry.actor)
        is_status = "status" in self.entry.changes and "description" not in self.entry.changes
        return is_status and "comment" in entry.changes and press == (entry.request_id or None, entry.actor)


def rows_of(entries: Iterable[IncidentChange]) -> list[Row]:
    """Returns the entries with their files, in one query; both newest first, the files of a row oldest first."""
    entries = list(entries)
    found = {file.change_id: file for file in Attachment.objects.filter(change__in=[each.pk for each in entries])}
    rows: list[Row] = []
    for entry in reversed(entries):
        file = found.get(entry.pk)
        if rows and rows[-1].is_explained_by(entry):
            rows[-1].reason = entry
            continue
        if not (file and rows and rows[-1].takes(entry)):
            rows.append(Row(entry, entry.at))
        if file:
            file.is_shown = file.content_type in SHOWN  # type: ignore[attr-defined]  # for the template
            file.can_be_fetched = _can_be_fetched(file, entry)  # type: ignore[attr-defined]
            rows[-1].files.append(file)
            rows[-1].last_at = entry.at
    return rows[::-1]


def _can_be_fetched(file: Attachment, entry: IncidentChange) -> bool:
    """Only what came through Telegram is fetched at all."""
    return file.state == Attachment.State.FAILED and not file.deleted_at and entry.channel == Channel.TELEGRAM


def show_view(model_admin: ModelAdmin, request: HttpRequest, pk: int, number: int) -> HttpResponseBase:
    """Shows an image whole. No other file is shown: browsers would run some."""
    file = _get(model_admin, request, pk, number)
    if file.state != Attachment.State.STORED or file.content_type not in SHOWN:
        raise Http404
    response = serving.response(
        file.file.name or "",
        size=file.size or 0,
        content_type=file.content_type,
        filename=file.name,
        inline=True,
    )
    # Browsers centre the image by a style in a page of their own.
    response["Content-Security-Policy"] += "; style-src 'unsafe-inline'"
    return response


def thumbnail_view(model_admin: ModelAdmin, request: HttpRequest, pk: int, number: int) -> HttpResponseBase:
    file = _get(model_admin, request, pk, number)
    if file.state != Attachment.State.STORED or not file.thumbnail:
        raise Http404
    response = serving.response(
        file.thumbnail.name or "", content_type="image/webp", filename="thumbnail.webp", inline=True
    )
    response["Cache-Control"] = "private, max-age=3600"
    return response


def fetch_view(model_admin: ModelAdmin, request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Takes a press of `Fetch again`."""
    file = _get(model_admin, request, pk, number, to_change=True)
    if _can_be_fetched(file, file.change) and retry_attachment(file):
        messages.success(request, _("The file “%s” will be fetched again.") % file.name)
    else:
        messages.warning(request, _("There is nothing to fetch."))
    return _to_incident(file)


def delete_view(model_admin: ModelAdmin, request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Takes the second press; the first one has shown the button."""
    file = _get(model_admin, request, pk, number, to_change=True)
    if delete_attachment(file, actor=Named(request.user.get_username()), channel=Channel.ADMIN):
        messages.success(request, _("The file “%s” is deleted.") % file.name)
    else:
        messages.warning(request, _("The file is already deleted."))
    return _to_incident(file)


def _get(model_admin: ModelAdmin, request: HttpRequest, pk: int, number: int, *, to_change: bool = False) -> Attachment:
    if to_change:
        allowed = model_admin.has_change_permission(request)
    else:
        allowed = model_admin.has_view_or_change_permission(request)
    if not allowed:
        raise PermissionDenied
    file = Attachment.objects.select_related("change").filter(pk=number, incident=pk).first()
    if file is None:
        raise Http404
    return file


def _to_incident(file: Attachment) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:incidents_incident_change", args=[file.incident_id]))


@dataclass
class Upload:
    """Files that a form brought: each is saved before the transaction that names it."""

    files: list[Any]
    contents: list[Content] = field(default_factory=list)
    stored: list[StoredFile] = field(default_factory=list)
    is_named: bool = False

    def digests(self) -> list[list[str]]:
        """Returns what tells whether another form has the same files."""
        self.contents = self.contents or [read_content(file) for file in self.files]
        return [[clean_name(file.name), each.sha256] for file, each in zip(self.files, self.contents, strict=True)]

    def save(self) -> bool:
        """Returns False, and leaves nothing behind, if the storage fails."""
        try:
            for file, content in zip(self.files, self.contents, strict=True):
                self.stored.append(save_file(file, content))
        except Exception:  # each storage has its own
            logger.exception("The files of a comment could not be stored")
            self.discard()
            return False
        return True

    def name(self, incident: Incident, actor: Named) -> None:
        """Writes the rows, in the transaction of the words that they came with. Raises TooManyFilesError."""
        if self.files:
            ensure_room(incident.pk, len(self.files))
        self.is_named = True
        for file, stored in zip(self.files, self.stored, strict=True):
            add_attachment(incident_id=incident.pk, stored=stored, name=file.name, actor=actor, channel=Channel.ADMIN)

    def discard(self) -> None:
        """Deletes the files; called where they are certain to have no rows."""
        for stored in self.stored:
            discard_file(stored)
        self.stored = []
