"""
Small pictures of images, made by a job for the desk's pages.

They have nothing of the image but its pixels: no position, camera or comment.
"""

import io
import logging
from tempfile import TemporaryFile
from typing import IO

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from PIL import Image, ImageOps

from core.jobs import NotNowError
from incidents.models import Attachment, attachment_storage

logger = logging.getLogger(__name__)

SIZE = (400, 400)  # at most
# A larger image has none: decoded, its pixels take memory. A JPEG is decoded at a fraction of its size.
MAX_PIXELS = {"JPEG": 50_000_000, "PNG": 20_000_000, "GIF": 20_000_000, "WEBP": 20_000_000}
FILES_PER_STEP = 10
CHUNK = 65_536  # bytes


def make_thumbnails() -> bool:
    """
    Makes the thumbnails that are due; returns whether there may be more.

    Raises NotNowError while the storage is unavailable.
    """
    due = list(Attachment.objects.filter(thumbnail_due=True).order_by("pk")[:FILES_PER_STEP])
    for attachment in due:
        _make(attachment)
    return len(due) == FILES_PER_STEP


def _make(attachment: Attachment) -> None:
    storage = attachment_storage()
    row = Attachment.objects.filter(pk=attachment.pk)
    with TemporaryFile() as copy:
        found = _read(storage, attachment, copy)
        # Before the image is decoded: one that ends the process is not tried again by the next.
        row.update(thumbnail_due=False)
        data = _thumbnail(attachment, copy) if found else None
    if data is None:
        return
    try:
        name = storage.save(f"{attachment.file.name}.webp", ContentFile(data))
    except Exception as exc:
        row.filter(state=Attachment.State.STORED).update(thumbnail_due=True)
        raise NotNowError(f"The storage is unavailable: {exc}") from exc
    if not row.filter(state=Attachment.State.STORED).update(thumbnail=name):  # deleted meanwhile
        storage.delete(name)


def _read(storage: Storage, attachment: Attachment, copy: IO[bytes]) -> bool:
    """Copies the file, so that errors of the storage are not those of the image; returns whether it is there."""
    try:
        with storage.open(attachment.file.name or "") as file:
            for chunk in file.chunks(CHUNK):
                copy.write(chunk)
    except FileNotFoundError:
        logger.warning("The file of attachment %d is not in the storage", attachment.pk)
        return False
    except Exception as exc:  # each storage has its own
        raise NotNowError(f"The storage is unavailable: {exc}") from exc
    copy.seek(0)
    return True


def _thumbnail(attachment: Attachment, file: IO[bytes]) -> bytes | None:
    try:
        return thumbnail(file)
    except Exception as exc:  # Pillow's decoders raise many
        logger.info("Attachment %d has no thumbnail: %s", attachment.pk, exc)
        return None


def thumbnail(file: IO[bytes]) -> bytes:
    """Returns the image, or its first frame, as a small WebP. Raises ValueError if it is too large, or Pillow's."""
    with Image.open(file, formats=list(MAX_PIXELS)) as image:
        if image.width * image.height > MAX_PIXELS[image.format or ""]:
            raise ValueError(f"too many pixels: {image.width} × {image.height}")
        image.draft("RGB", SIZE)
        small = ImageOps.exif_transpose(_reduce(image))
    small.info = {}  # profiles, comments, EXIF
    written = io.BytesIO()
    small.save(written, "WEBP", quality=80)
    return written.getvalue()


def _reduce(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16 bits, which `convert` would cut off at 255
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA")
    image.thumbnail(SIZE)
    return image.convert("RGBA" if image.mode in ("RGBA", "LA", "PA") else "RGB")
