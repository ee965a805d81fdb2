"""The files of archived attachments: in a folder beside the archive, each by its SHA-256."""

import logging
import os
from collections.abc import Iterable, Iterator
from hashlib import file_digest, sha256
from pathlib import Path

from django.core.files import File

from incidents.attachments.content import read_content
from incidents.attachments.services import save_file
from incidents.exceptions import ArchiveError
from incidents.models import Attachment, attachment_storage

logger = logging.getLogger(__name__)


class ArchivedFiles:
    def __init__(self, archive: Path) -> None:
        self.folder = archive.with_name(f"{archive.name}.attachments")

    def copy(self, attachments: Iterable[Attachment]) -> set[str]:
        """
        Copies files from the storage; returns the digests of those that are whole on the disk.

        Raises OSError, or ArchiveError while the storage is unavailable.
        """
        copied: set[str] = set()
        for attachment in attachments:
            if attachment.sha256 not in copied and (self._is_whole(attachment.sha256) or self._copy(attachment)):
                copied.add(attachment.sha256)
        if copied:
            synchronize_directory(self.folder)
            synchronize_directory(self.folder.parent)
        return copied

    def restore(self, digest: str) -> str:
        """Saves a file to the storage, by a new name, and returns that. Raises ArchiveError."""
        path = self.folder / digest
        try:
            with path.open("rb") as copy:
                content = read_content(File(copy))
                if content.sha256 != digest:
                    raise ArchiveError(f"{path} is not as it was written.")
                return save_file(File(copy), content).name
        except FileNotFoundError:
            raise ArchiveError(f"{path} is missing.") from None
        except ArchiveError:
            raise
        except Exception as exc:  # each storage has its own
            raise ArchiveError(f"{path} cannot be stored: {exc}") from exc

    def _is_whole(self, digest: str) -> bool:
        try:
            with (self.folder / digest).open("rb") as copy:
                return file_digest(copy, "sha256").hexdigest() == digest
        except FileNotFoundError:
            return False

    def _copy(self, attachment: Attachment) -> bool:
        """Returns False if the storage has not the file that it was given."""
        self.folder.mkdir(exist_ok=True)
        part = self.folder / f"{attachment.sha256}.part"
        digest = sha256()
        try:
            with part.open("wb") as copy:
                for chunk in _chunks(attachment):
                    digest.update(chunk)
                    copy.write(chunk)
                copy.flush()
                os.fsync(copy.fileno())
            if digest.hexdigest() == attachment.sha256:
                part.replace(self.folder / attachment.sha256)
                if not self._is_whole(attachment.sha256):
                    raise ArchiveError("What was written to the folder is not what is read from it.")
                return True
        except FileNotFoundError:
            pass
        part.unlink(missing_ok=True)
        logger.warning(
            "Incident %d stays: the storage has not the file of attachment %d", attachment.incident_id, attachment.pk
        )
        return False


def delete_files(names: Iterable[str]) -> None:
    """Deletes files from the storage. Raises ArchiveError while that is unavailable."""
    storage = attachment_storage()
    try:
        for name in names:
            storage.delete(name)
    except Exception as exc:  # each storage has its own
        raise ArchiveError(f"The storage is unavailable: {exc}") from exc


def synchronize_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _chunks(attachment: Attachment) -> Iterator[bytes]:
    try:
        with attachment_storage().open(attachment.file.name or "") as file:
            yield from file.chunks()
    except FileNotFoundError:
        raise
    except Exception as exc:  # each storage has its own
        raise ArchiveError(f"The storage is unavailable: {exc}") from exc
