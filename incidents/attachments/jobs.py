"""
Jobs that delete files: those of attachments that a person deleted, and those that no row names.

The row is cleared after its file is deleted, and a file without a row is younger than a day or an orphan. So a process
may die between any two steps, and no row is left without the file that it names.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import islice

from django.db.models import Q
from django.utils import timezone

from incidents.models import Attachment, attachment_storage

FILES_PER_STEP = 50  # an S3 server may take 0.3 s for each
NAMES_PER_STEP = 500
YOUNGEST = timedelta(days=1)  # the row of a file is written within seconds
# By their folders: the day on which `services.save_file` named them. A mistake, such as a service that was given the
# files of another one, costs no older ones.
OLDEST = timedelta(days=31)


def delete_files() -> bool:
    """Deletes the files of deleted attachments, then their names from the rows; returns whether there may be more."""
    storage = attachment_storage()
    deleted = Attachment.objects.filter(~Q(file=""), deleted_at__isnull=False)
    due = list(deleted.order_by("pk")[:FILES_PER_STEP])
    for attachment in due:
        for name in filter(None, (attachment.thumbnail.name, attachment.file.name)):
            storage.delete(name)  # no error if it is gone
        deleted.filter(pk=attachment.pk).update(file="", thumbnail="")
    return len(due) == FILES_PER_STEP


class Orphans:
    """Files that no row names: a process died between saving the file and the row, or could not delete the file."""

    def __init__(self) -> None:
        self._names: Iterator[str] | None = None

    def step(self) -> bool:
        """Looks at some of the files, and deletes the orphans among them; returns whether there are more files."""
        # An empty database may be one that is to be restored: the files must wait for their rows.
        if not Attachment.objects.exists():
            return False
        names, self._names = self._names or _old_names(), None
        some = list(islice(names, NAMES_PER_STEP))
        storage, until = attachment_storage(), timezone.now() - YOUNGEST
        for name in sorted(set(some) - named(some)):
            if storage.get_modified_time(name) < until:
                storage.delete(name)
        if len(some) < NAMES_PER_STEP:
            return False
        self._names = names
        return True


def named(names: Iterable[str]) -> set[str]:
    """Returns those of the names that rows have."""
    files = Attachment.objects.filter(file__in=names).values_list("file", flat=True)
    thumbnails = Attachment.objects.filter(~Q(thumbnail=""), thumbnail__in=names).values_list("thumbnail", flat=True)
    return {*files, *thumbnails}


def _old_names() -> Iterator[str]:
    """The files of the days from YOUNGEST to OLDEST, with the names of one day in memory."""
    today = timezone.now().date()  # in UTC
    for days in range(YOUNGEST.days, OLDEST.days + 1):
        yield from _names_of(today - timedelta(days=days))


def _names_of(day: date) -> Iterator[str]:
    folder = f"{day:%Y/%m/%d}"
    try:
        _, files = attachment_storage().listdir(folder)
    except FileNotFoundError:  # S3 has no folders, and finds none
        return
    yield from (f"{folder}/{file}" for file in files)
