"""Each kind of message of the Bot API has its words, or a reason to be no report."""

import re

import pytest
from django.utils import translation

from telegram.reading import authors, kinds, reports, rich
from telegram.sending import cards
from tests.helpers.telegram_messages import message

LINK = "https://t.me/c/1234567890/10"
PLACE = {"latitude": 55.75, "longitude": 37.61}
MAP = "https://www.openstreetmap.org/?mlat=55.75&mlon=37.61#map=17/55.75/37.61"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": "Насос 3 стоит"}, "Насос 3 стоит"),
        ({"photo": [{}], "caption": "Течь"}, f"Течь\n[photo] {LINK}"),
        ({"voice": {"duration": 12}, "caption": "Слышно"}, f"Слышно\n[voice message, 0:12] {LINK}"),
        ({"document": {"file_name": "log.txt"}, "caption": "Лог"}, f"Лог\n[file, log.txt] {LINK}"),
        ({"video": {"duration": 5}, "caption": "Вот"}, f"Вот\n[video, 0:05] {LINK}"),
        ({"animation": {}, "document": {}, "caption": "Вот"}, f"Вот\n[animation] {LINK}"),
        ({"chat": {"id": -5, "type": "group"}, "photo": [{}], "caption": "Течь"}, "Течь\n[photo]"),
        ({"photo": [{}], "caption": "Течь", "media_group_id": "a"}, "Течь"),
        ({"photo": [{}]}, f"[photo, no text]\n{LINK}"),
        ({"voice": {"duration": 12}}, f"[voice message, 0:12]\n{LINK}"),
        ({"voice": {"duration": 3725}}, f"[voice message, 1:02:05]\n{LINK}"),
        ({"video": {"duration": 61, "file_name": "a.mp4"}}, f"[video, a.mp4, 1:01]\n{LINK}"),
        ({"video_note": {"duration": 5}}, f"[video message, 0:05]\n{LINK}"),
        ({"audio": {"duration": 5, "performer": "A", "title": "B"}}, f"[audio, A — B, 0:05]\n{LINK}"),
        ({"audio": {"file_name": "a.mp3"}}, f"[audio, a.mp3]\n{LINK}"),
        ({"document": {"file_name": "log.txt"}}, f"[file, log.txt]\n{LINK}"),
        ({"document": {}, "animation": {"file_name": "a.gif"}}, f"[animation, a.gif]\n{LINK}"),
        ({"photo": [], "live_photo": {}}, f"[live photo, no text]\n{LINK}"),
        ({"paid_media": {"paid_media": [{}, {}]}}, f"[paid media, 2]\n{LINK}"),
        ({"story": {"chat": {"title": "News"}}}, f"[story, News]\n{LINK}"),
        ({"location": PLACE}, f"[location, 55.75, 37.61]\n{MAP}\n{LINK}"),
        ({"location": PLACE | {"live_period": 60}}, f"[live location, 55.75, 37.61]\n{MAP}\n{LINK}"),
        (
            {"location": PLACE, "venue": {"location": PLACE, "title": "A", "address": "B"}},
            f"[place, A, B, 55.75, 37.61]\n{MAP}\n{LINK}",
        ),
        ({"contact": {"phone_number": "+7", "first_name": "A", "last_name": "B"}}, f"[contact, A B, +7]\n{LINK}"),
        (
            {"poll": {"question": "Ok?", "options": [{"text": "Yes"}, {"text": "No"}]}},
            f"[poll, Ok?]\n- Yes\n- No\n{LINK}",
        ),
        (
            {"checklist": {"title": "Shift", "tasks": [{"text": "a", "completion_date": 1}, {"text": "b"}]}},
            f"[checklist, Shift]\n[x] a\n[ ] b\n{LINK}",
        ),
        ({"invoice": {"title": "Part", "description": "Pump"}}, f"[invoice, Part, Pump]\n{LINK}"),
    ],
)
def test_what_can_be_a_report(fields, words):
    report = reports.read(message(**fields))
    assert (report.description, report.skip, report.unknown) == (words, None, False)


@pytest.mark.parametrize("kind", ["sticker", "dice", "game", "giveaway", "giveaway_winners"])
def test_what_reports_nothing(kind):
    report = reports.read(message(**{kind: {"emoji": "👍"}}))
    assert report.kind == kind
    assert report.skip == kind.removesuffix("_winners")
    assert report.description.startswith(f"[{report.skip}")


@pytest.mark.parametrize("kind", sorted(kinds.SERVICE))
def test_service_messages_are_no_reports(kind):
    assert reports.read(message(**{kind: True})).skip == "service message"


def test_the_table_has_each_kind_once():
    tables = [*kinds.MEDIA, *kinds.SKIPPED, *kinds.SERVICE, *kinds.METADATA]
    assert len(tables) == len(set(tables))


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"hologram": {"x": 1}}, "hologram"), ({}, "?"), ({"a\0b": 1}, "a␀b"), ({"rich_message": "x"}, "rich_message")],
)
def test_an_unknown_kind_is_a_report_with_a_mark(fields, name):
    report = reports.read(message(**fields))
    assert report.unknown
    assert report.skip is None
    assert report.description == f"[message of an unknown kind: {name}]\n{LINK}"


@pytest.mark.parametrize("text", ["", " \n ", "\u200b", "\u2800"])
def test_a_text_of_nothing_visible_has_a_placeholder(text):
    assert reports.read(message(text=text)).description == f"[no text]\n{LINK}"
    assert reports.read(message(photo=[{}], caption=text)).description == f"[photo, no text]\n{LINK}"


def test_the_edits_of_a_live_location_are_told_from_others():
    assert reports.read(message(location=PLACE | {"live_period": 60})).is_live
    assert reports.read(message(location=PLACE, edit_date=1705314700)).is_live
    assert not reports.read(message(location=PLACE)).is_live


def test_words_are_russian_where_the_chat_is():
    with translation.override("ru"):
        assert reports.read(message(voice={"duration": 12})).description.startswith("[голосовое сообщение, 0:12]")
        assert translation.gettext(reports.read(message(pinned_message={})).skip) == "служебное сообщение"


def test_every_word_has_a_translation():
    sources = [module.__loader__.get_source(module.__name__) for module in (authors, kinds, reports, rich, cards)]
    words = {word for source in sources for word in re.findall(r'_\("(.+?)"\)', source)}
    with translation.override("ru"):
        assert len(words) > 30
        assert {word for word in words if translation.gettext(word) == word} == set()
