"""
The only writers of attachments: each row has its entry in the history, written in the same transaction.

A file is saved before the row that names it, and deleted after the row that no longer does: a process that dies between
the two leaves a file without a row, which `jobs.Orphans` finds, never a row without its file.
"""

import logging
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.utils import timezone

from incidents.actors import Actor
from incidents.attachments.content import Content, clean_name, kind_of, read_content
from incidents.exceptions import TooManyFilesError
from incidents.models import Attachment, Incident, IncidentChange, attachment_storage
from incidents.store import store

logger = logging.getLogger(__name__)

DELETED = "The file was deleted."


class StoredFile(NamedTuple):
    """A file in the storage that no attachment names yet."""

    name: str
    content: Content


def save_file(file: "File[Any]", content: Content | None = None) -> StoredFile:
    """Saves the file to the storage, by a name of ours: a folder for each day in UTC, and a random name."""
    content = content or read_content(file)
    name = f"{datetime.now(UTC):%Y/%m/%d}/{uuid4().hex}"
    return StoredFile(attachment_storage().save(name, file), content)


def discard_file(stored: StoredFile) -> None:
    """Deletes a file that is certain to have no row; without the storage it is left to `jobs.Orphans`."""
    try:
        attachment_storage().delete(stored.name)
    except Exception:
        logger.warning("The file %s is not needed and could not be deleted", stored.name, exc_info=True)


def ensure_room(incident_id: int, number: int = 1) -> None:
    """
    Raises TooManyFilesError if an incident may not have so many more files.

    Called in the transaction that adds them: others that ask wait for its end, or they would exceed the limit together.
    """
    list(Incident.objects.filter(pk=incident_id).select_for_update(no_key=True).values_list("pk"))
    if Attachment.objects.filter(incident=incident_id).count() + number > settings.ATTACHMENT_MAX_NUMBER:
        raise TooManyFilesError


def add_attachment(*, incident_id: int, stored: StoredFile, name: str, actor: Actor, channel: str) -> Attachment:
    """Writes the row of a file that `save_file` saved. Raises what `actor.accept` raises."""
    attachment = Attachment(
        incident_id=incident_id,
        kind=kind_of(stored.content.type),
        name=clean_name(name),
        state=Attachment.State.STORED,
        **_columns(stored),
    )
    _insert(attachment, actor, channel)
    return attachment


def announce_attachment(
    *, incident_id: int, kind: str, name: str, size: int | None = None, actor: Actor, channel: str
) -> Attachment:
    """
    Writes the row of a file that is still to be fetched. Raises what `actor.accept` raises.

    Called in the transaction that records what the file came with, so that it is not forgotten.
    """
    state = Attachment.State.PENDING
    attachment = Attachment(incident_id=incident_id, kind=kind, name=clean_name(name, kind), size=size, state=state)
    _insert(attachment, actor, channel)
    return attachment


def store_attachment(attachment: Attachment, stored: StoredFile) -> bool:
    """
    Gives an attachment that is pending the file that `save_file` saved.

    Returns False, and deletes the file, if it is pending no longer.
    """
    pending = Attachment.objects.filter(pk=attachment.pk, state=Attachment.State.PENDING)
    if pending.update(state=Attachment.State.STORED, error="", **_columns(stored)):
        return True
    discard_file(stored)
    return False


def fail_attachment(attachment: Attachment, error: str) -> bool:
    """Gives up an attachment that is pending, until a person retries; returns False if it is pending no longer."""
    pending = Attachment.objects.filter(pk=attachment.pk, state=Attachment.State.PENDING)
    return bool(pending.update(state=Attachment.State.FAILED, error=error[:255]))


def retry_attachment(attachment: Attachment) -> bool:
    """Makes an attachment that failed pending again; returns False if there is nothing to retry."""
    failed = Attachment.objects.filter(pk=attachment.pk, state=Attachment.State.FAILED, deleted_at=None)
    return bool(failed.update(state=Attachment.State.PENDING, error=""))


def delete_attachment(attachment: Attachment, *, actor: Actor, channel: str) -> bool:
    """
    Deletes the file of an attachment, whose row stays; returns False if it has no file.

    The file itself is deleted after the commit, by `jobs.delete_files`.
    """
    with transaction.atomic():
        stored = Attachment.objects.filter(pk=attachment.pk, state=Attachment.State.STORED)
        deleted = stored.update(
            state=Attachment.State.FAILED, error=DELETED, deleted_at=timezone.now(), thumbnail_due=False
        )
        if deleted:
            _insert_entry(attachment, [attachment.name, None], actor, channel)
    return bool(deleted)


def _columns(stored: StoredFile) -> dict[str, Any]:
    return {
        "file": stored.name,
        "size": stored.content.size,
        "sha256": stored.content.sha256,
        "content_type": stored.content.type,
        "thumbnail_due": kind_of(stored.content.type) == Attachment.Kind.PHOTO,
    }


def _insert(attachment: Attachment, actor: Actor, channel: str) -> None:
    with transaction.atomic():
        attachment.change = _insert_entry(attachment, [None, attachment.name], actor, channel)
        attachment.created_at = attachment.change.at
        attachment.save()


def _insert_entry(attachment: Attachment, values: list[str | None], actor: Actor, channel: str) -> IncidentChange:
    entry = IncidentChange(
        incident_id=attachment.incident_id, at=timezone.now(), channel=channel, changes={"attachment": values}
    )
    store.insert_entry(entry, actor)
    return entry
