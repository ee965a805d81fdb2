"""The files of an export, which its entries name by their paths from result.json."""

from pathlib import Path

from django.conf import settings
from django.core.files import File as OpenFile
from django.utils.translation import gettext as _

from incidents.attachments.services import StoredFile, save_file
from telegram.reading.files import EXTENSIONS, File
from telegram.reading.reports import Report
from telegram.receiving.fetching import not_exported


class Folder:
    def __init__(self, path: Path) -> None:
        self._path = path.resolve()

    def why_not(self, file: File, link: str | None) -> str:
        """Returns why a file cannot be imported, for people; nothing if it can."""
        path = self._find(file)
        if path is None:
            return not_exported(link or "")
        if path.stat().st_size > settings.ATTACHMENT_MAX_BYTES:
            text = _("The file is larger than %d MB: see it in Telegram.") % (settings.ATTACHMENT_MAX_BYTES >> 20)
            return f"{text} {link or ''}".strip()
        return ""

    def save(self, file: File) -> StoredFile | None:
        """Saves a file to the storage; returns None if it cannot be read. Raises what the storage raises."""
        try:
            raw = (self._find(file) or self._path).open("rb")
        except OSError:
            return None
        with raw:
            return save_file(OpenFile(raw))

    def _find(self, file: File) -> Path | None:
        """Finds a regular file in the folder, and none that a path or a link leads to outside of it."""
        try:
            path = (self._path / file.id).resolve(strict=True)
            return path if path.is_relative_to(self._path) and path.is_file() else None
        except (OSError, ValueError):  # also of names that no file can have
            return None


def file_of(report: Report) -> File | None:
    """An entry of an export has one file at most."""
    # Most are text.
    return next(iter(report.files), None) if report.kind in EXTENSIONS else None
