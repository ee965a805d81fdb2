"""Thumbnails: small, upright, without what the image tells besides its pixels, and never the end of the job."""

import io
import struct
import zlib
from unittest.mock import patch

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from PIL import Image, ImageDraw

from core.jobs import NotNowError
from incidents.actors import Named
from incidents.attachments import thumbnails
from incidents.attachments.services import add_attachment, delete_attachment, save_file
from incidents.attachments.thumbnails import make_thumbnails, thumbnail
from incidents.models import Attachment, attachment_storage
from tests.helpers.incidents import make_incident

ORIENTATION, GPS = 0x0112, 0x8825
RED, BLUE = (220, 20, 20), (20, 20, 220)


def halves(size=(800, 400), mode="RGB"):
    """The left half is red, the right half blue."""
    image = Image.new("RGB", size, RED)
    ImageDraw.Draw(image).rectangle((size[0] // 2, 0, *size), BLUE)
    return image.convert(mode)


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def small(data):
    return Image.open(io.BytesIO(thumbnail(io.BytesIO(data))))


def is_near(pixel, colour):
    return all(abs(one - other) < 40 for one, other in zip(pixel[:3], colour, strict=True))


def exif(**places):
    found = Image.Exif()
    found[ORIENTATION] = places.get("orientation", 1)
    found[0x010E] = "SECRET-DESCRIPTION"
    found.get_ifd(GPS).update({1: "N", 2: (55.0, 45.0, 21.0), 3: "E", 4: (37.0, 37.0, 2.0)})
    return found


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_an_image_becomes_small(form):
    found = small(encoded(halves(), form))
    assert (found.format, found.size) == ("WEBP", (400, 200))
    left, right = (found.convert("RGB").getpixel((x, 100)) for x in (50, 350))
    assert is_near(left, RED) and is_near(right, BLUE)


def test_a_small_image_is_not_enlarged():
    assert small(encoded(halves((20, 10)), "PNG")).size == (20, 10)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_it_stands_upright_and_tells_no_place(form):
    data = encoded(halves((1600, 800)), form, exif=exif(orientation=6))  # to be turned by 90° clockwise
    assert b"SECRET-DESCRIPTION" in data
    written = thumbnail(io.BytesIO(data))
    assert not any(secret in written for secret in (b"SECRET", b"Exif", b"EXIF", b"II*\0", b"MM\0*"))
    found = Image.open(io.BytesIO(written))
    assert found.size == (200, 400) and not found.getexif()
    assert is_near(found.convert("RGB").getpixel((100, 50)), RED)
    assert is_near(found.convert("RGB").getpixel((100, 350)), BLUE)


def test_it_has_no_profile_comment_or_xmp():
    data = encoded(halves(), "JPEG", comment=b"SECRET", icc_profile=b"SECRET" * 50, xmp=b"SECRET")
    assert data.count(b"SECRET") > 2
    assert b"SECRET" not in thumbnail(io.BytesIO(data))


def test_cmyk():
    found = small(encoded(halves(mode="CMYK"), "JPEG"))
    assert found.mode == "RGB" and is_near(found.getpixel((50, 100)), RED)


def test_sixteen_bits_are_grey_and_not_white():
    found = small(encoded(Image.new("I;16", (500, 500), 128 * 256), "PNG")).convert("L")
    assert abs(found.getpixel((200, 200)) - 128) < 8


def test_a_palette_with_transparency_stays_transparent():
    image = Image.new("P", (500, 500), 0)
    image.putpalette([0, 255, 0, *RED])
    ImageDraw.Draw(image).rectangle((250, 0, 500, 500), 1)
    found = small(encoded(image, "PNG", transparency=0))
    assert found.getpixel((50, 200))[3] == 0
    assert found.getpixel((350, 200))[3] == 255 and is_near(found.getpixel((350, 200)), RED)


def test_an_animation_shows_its_first_frame():
    frames = [Image.new("RGB", (500, 500), colour) for colour in (RED, BLUE)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    found = small(data)
    assert getattr(found, "n_frames", 1) == 1 and is_near(found.convert("RGB").getpixel((200, 200)), RED)


def bomb(width=30_000, height=30_000):
    """A PNG of a few bytes that says it is huge."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
BROKEN = {
    "truncated": encoded(halves(), "JPEG")[:3000],
    "huge": bomb(),
    "large": bomb(5000, 4001),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "eps": POSTSCRIPT,
    "bmp": encoded(halves(), "BMP"),
    "empty": b"",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_broken_too_large_or_of_another_format_is_refused(data):
    with pytest.raises(Exception, match=r"."):
        thumbnail(io.BytesIO(data))


@pytest.fixture
def storage(settings, tmp_path):
    options = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = settings.STORAGES | {"attachments": options}
    return tmp_path


def attach(incident, data, name="фото.jpg"):
    stored = save_file(ContentFile(data))
    return add_attachment(incident_id=incident.pk, stored=stored, name=name, actor=Named("a"), channel="api")


@pytest.mark.django_db
@pytest.mark.both_databases
class TestJob:
    def test_what_is_due_is_made_once(self, storage):
        attachment = attach(make_incident(), encoded(halves(), "JPEG"))
        assert make_thumbnails() is False
        attachment.refresh_from_db()
        assert not attachment.thumbnail_due and attachment.state == "stored"
        with attachment_storage().open(attachment.thumbnail.name) as file:
            assert Image.open(file).size == (400, 200)
        with patch.object(thumbnails, "thumbnail") as again:
            make_thumbnails()
        again.assert_not_called()

    def test_a_broken_image_stops_nothing(self, storage):
        incident = make_incident()
        broken = attach(incident, BROKEN["truncated"])
        whole = attach(incident, encoded(halves(), "JPEG"))
        make_thumbnails()
        for attachment in (broken, whole):
            attachment.refresh_from_db()
        assert (broken.thumbnail.name, broken.thumbnail_due) == ("", False)
        assert whole.thumbnail.name
        assert not Attachment.objects.filter(thumbnail_due=True).exists()

    def test_an_image_that_ends_the_process_is_not_tried_again(self, storage):
        attach(make_incident(), encoded(halves(), "JPEG"))
        with patch.object(thumbnails, "thumbnail", side_effect=SystemExit), pytest.raises(SystemExit):
            make_thumbnails()
        assert not Attachment.objects.filter(thumbnail_due=True).exists()

    def test_a_file_that_is_gone_stops_nothing(self, storage):
        incident = make_incident()
        gone, there = (attach(incident, encoded(halves(), "JPEG")) for _ in range(2))
        (storage / gone.file.name).unlink()
        make_thumbnails()
        there.refresh_from_db()
        assert there.thumbnail.name

    @pytest.mark.parametrize("method", ["open", "save"])
    def test_a_storage_that_is_away_is_tried_again(self, storage, method):
        attachment = attach(make_incident(), encoded(halves(), "JPEG"))
        with patch.object(FileSystemStorage, method, side_effect=ConnectionError("away")), pytest.raises(NotNowError):
            make_thumbnails()
        attachment.refresh_from_db()
        assert (attachment.thumbnail.name, attachment.thumbnail_due) == ("", True)
        make_thumbnails()
        attachment.refresh_from_db()
        assert attachment.thumbnail.name

    def test_a_file_that_is_deleted_meanwhile_leaves_none(self, storage):
        attachment = attach(make_incident(), encoded(halves(), "JPEG"))

        def delete(file):
            delete_attachment(attachment, actor=Named("a"), channel="admin")
            return b"small"

        with patch.object(thumbnails, "thumbnail", delete):
            make_thumbnails()
        attachment.refresh_from_db()
        assert attachment.thumbnail.name == ""
        assert [path.name for path in storage.rglob("*") if path.is_file()] == [attachment.file.name.split("/")[-1]]
