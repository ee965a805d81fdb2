"""The files that a message carries: pure functions, which raise nothing, whatever the message holds."""

import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass

from telegram.reading.rich import flatten
from telegram.reading.values import Fields, dictionary, integer, line, sequence, string

UNIQUE_ID_MAX_LENGTH = 255
# The kinds of media that are files, and the extension of one that has no name. Stickers report nothing.
EXTENSIONS = {
    "animation": ".mp4",
    "audio": ".mp3",
    "document": "",
    "live_photo": ".mp4",
    "photo": ".jpg",
    "video": ".mp4",
    "video_note": ".mp4",
    "voice": ".ogg",
}


@dataclass(frozen=True, slots=True)
class File:
    """
    A file that getFile can be asked for.

    `unique_id` is the same for the same file, whenever and to whichever bot it is sent. `kind` is a key of EXTENSIONS.
    `name` is what the sender's app calls it, where it does: any text, such as a path. `size` is in bytes, None where
    it is not known.
    """

    id: str
    unique_id: str
    kind: str
    name: str
    size: int | None


def files_of(message: Fields) -> list[File]:
    """Reads the files of a message in their order, each once; without those that have no id to fetch them by."""
    found: dict[str, File] = {}
    for kind, medium in _media(message):
        if file := _file(kind, medium, f"{kind}-{integer(message.get('message_id')) or 0}"):
            found.setdefault(file.unique_id, file)
    return list(found.values())


def _media(message: Fields) -> Iterator[tuple[str, Fields]]:
    yield from _carried(message)
    for paid in sequence(dictionary(message.get("paid_media")).get("paid_media")):
        yield from _carried(dictionary(paid))
    poll = dictionary(message.get("poll"))
    for part in (poll, *map(dictionary, sequence(poll.get("options")))):
        yield from _carried(dictionary(part.get("media")))
    yield from _carried(dictionary(poll.get("explanation_media")))
    in_blocks: list[tuple[str, Fields]] = []

    def collect(block: Fields) -> str:
        in_blocks.extend(_carried(block | {"voice": block.get("voice_note")}))
        return ""

    flatten(message.get("rich_message"), collect)
    yield from in_blocks


def _carried(fields: Fields) -> Iterator[tuple[str, Fields]]:
    """The media in the fields of a message, or of a part of one that has the same fields."""
    for kind in EXTENSIONS:
        medium = fields.get(kind)
        if kind == "photo":
            yield kind, _largest(medium)
        elif kind == "live_photo":
            # Its file is the video. The message has the same photo beside it, paid media do not.
            yield "photo", _largest(dictionary(medium).get("photo"))
            yield kind, dictionary(medium)
        elif kind != "document" or not dictionary(fields.get("animation")):  # which comes with itself as a document
            yield kind, dictionary(medium)


def _largest(sizes: object) -> Fields:
    """The largest of the sizes of a photo."""
    photos = [size for size in map(dictionary, sequence(sizes)) if string(size.get("file_id"))]
    return max(photos, key=_pixels, default={})


def _pixels(size: Fields) -> tuple[int, int]:
    width, height, in_bytes = (integer(size.get(name)) or 0 for name in ("width", "height", "file_size"))
    return width * height, in_bytes


def _file(kind: str, medium: Fields, name: str) -> File | None:
    file_id = string(medium.get("file_id"))
    if not file_id:
        return None
    extension = EXTENSIONS[kind] or mimetypes.guess_extension(line(medium.get("mime_type"))) or ""
    size = integer(medium.get("file_size"))
    return File(
        id=file_id,
        unique_id=(string(medium.get("file_unique_id")) or file_id)[:UNIQUE_ID_MAX_LENGTH],
        kind=kind,
        name=line(medium.get("file_name")) or name + extension,
        size=size if size is not None and size >= 0 else None,
    )
