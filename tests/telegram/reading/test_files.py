"""Which files a message carries, kind by kind, as the Bot API 10.3 has them."""

import pytest

from telegram.reading import reports
from telegram.reading.files import EXTENSIONS, File
from tests.helpers.telegram_messages import message


def medium(number=1, **fields):
    return {"file_id": f"id{number}", "file_unique_id": f"unique{number}"} | fields


SMALL = medium(1, width=90, height=60, file_size=1_000)
LARGE = medium(2, width=1280, height=853, file_size=90_000)


def files(**fields):
    return reports.read(message(**fields)).files


def ids(**fields):
    return [(file.kind, file.id) for file in files(**fields)]


def block(kind, content):
    return {"type": kind, kind: content}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"text": "Насос 3 стоит"}, []),
        ({"photo": [SMALL, LARGE]}, [("photo", "id2")]),
        ({"photo": [LARGE, SMALL], "caption": "Течь"}, [("photo", "id2")]),
        ({"video": medium()}, [("video", "id1")]),
        ({"voice": medium()}, [("voice", "id1")]),
        ({"audio": medium()}, [("audio", "id1")]),
        ({"video_note": medium()}, [("video_note", "id1")]),
        ({"document": medium()}, [("document", "id1")]),
        # It comes with itself as a document.
        ({"animation": medium(), "document": medium()}, [("animation", "id1")]),
        ({"live_photo": medium(3), "photo": [SMALL, LARGE]}, [("live_photo", "id3"), ("photo", "id2")]),
        ({"live_photo": medium(3, photo=[SMALL, LARGE]), "photo": [LARGE]}, [("photo", "id2"), ("live_photo", "id3")]),
        (
            {"paid_media": {"paid_media": [block("photo", [LARGE]), block("video", medium()), {"type": "preview"}]}},
            [("photo", "id2"), ("video", "id1")],
        ),
        (
            {"poll": {"media": {"photo": [LARGE]}, "options": [{"text": "да"}, {"media": {"video": medium()}}]}},
            [("photo", "id2"), ("video", "id1")],
        ),
        ({"poll": {"explanation_media": {"document": medium()}}}, [("document", "id1")]),
        ({"sticker": medium()}, []),
        ({"story": {"chat": {"id": 1}, "id": 2}}, []),
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, []),
        # Not of this message
        ({"text": "Ответ", "external_reply": {"photo": [LARGE]}}, []),
        ({"text": "Ответ", "reply_to_message": {"message_id": 5, "photo": [LARGE]}}, []),
        ({"new_chat_photo": [LARGE]}, []),
    ],
)
def test_kinds(fields, expected):
    assert ids(**fields) == expected


def test_rich_messages():
    nested = {"type": "list", "items": [{"label": "•", "blocks": [block("video", medium(4))]}]}
    collage = {"type": "collage", "blocks": [block("photo", [SMALL, LARGE]), block("animation", medium(5))]}
    blocks = [
        {"type": "paragraph", "text": "Насос"},
        block("photo", [medium(6)]),
        nested,
        collage,
        block("voice_note", medium(7)),
        block("document", medium(8)),
        block("audio", medium(9)),
        block("photo", [medium(6)]),
    ]
    expected = ["photo id6", "video id4", "photo id2", "animation id5", "voice id7", "document id8", "audio id9"]
    assert [" ".join(each) for each in ids(rich_message={"blocks": blocks})] == expected


def test_what_the_message_says_of_a_file():
    said = medium(file_name="отчёт №3.txt", mime_type="text/plain", file_size=123)
    assert files(document=said) == [File("id1", "unique1", "document", "отчёт №3.txt", 123)]


@pytest.mark.parametrize("name", ["", " \n", None, 7, ["a.txt"], {}])
def test_names_that_are_none(name):
    (file,) = files(document=medium(file_name=name, mime_type="application/pdf"))
    assert file.name == "document-10.pdf"


@pytest.mark.parametrize(("kind", "extension"), EXTENSIONS.items())
def test_names_of_files_that_have_none(kind, extension):
    assert files(**{kind: [medium()] if kind == "photo" else medium()})[0].name == f"{kind}-10{extension}"


@pytest.mark.parametrize(
    ("size", "read"), [(0, 0), (2**62, 2**62), (2**64, None), (-1, None), ("5", None), (5.5, None), (None, None)]
)
def test_sizes(size, read):
    assert files(document=medium(file_size=size))[0].size == read


@pytest.mark.parametrize("nothing", [None, "", 7, [], {}])
def test_files_without_an_id_cannot_be_fetched(nothing):
    assert files(document={"file_id": nothing, "file_unique_id": "u"}, photo=[{"file_id": nothing}]) == []


def test_without_a_unique_id_the_id_stands_for_it():
    assert [file.unique_id for file in files(voice={"file_id": "id1"})] == ["id1"]


def test_a_file_stands_once():
    assert ids(photo=[LARGE], video=LARGE) == [("photo", "id2")]
