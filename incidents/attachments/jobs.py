"""What is left of files that no attachment names any more."""

from datetime import UTC, datetime, timedelta

from incidents.models import Attachment, attachment_storage

BATCH = 100
# A day's folder is looked at when no request or job that saved a file there can still be about to write its row.
ORPHAN_DAYS = range(2, 9)


def delete_files() -> bool:
    """Deletes a batch of the files that people deleted; returns whether there may be more."""
    storage = attachment_storage()
    attachments = Attachment.objects.filter(deleted_at__isnull=False).exclude(file="").order_by("pk")[:BATCH]
    for attachment in attachments:
        for name in filter(None, (attachment.thumbnail.name, attachment.file.name)):
            storage.delete(name)
        Attachment.objects.filter(pk=attachment.pk).update(file="", thumbnail="")
    return len(attachments) == BATCH


def delete_orphans() -> bool:
    """Deletes files of the past week without a row, which processes left that died between the two."""
    storage = attachment_storage()
    for days in ORPHAN_DAYS:
        folder = f"{datetime.now(UTC) - timedelta(days=days):%Y/%m/%d}"
        try:
            files = [f"{folder}/{name}" for name in storage.listdir(folder)[1]]
        except FileNotFoundError:
            continue
        for start in range(0, len(files), BATCH):
            names = files[start : start + BATCH]
            kept = set(Attachment.objects.filter(file__in=names).values_list("file", flat=True))
            for name in set(names) - kept:
                storage.delete(name)
    return False
