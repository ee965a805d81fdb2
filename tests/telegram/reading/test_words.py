"""What goes into a description beside the text, and what no database could store."""

import json

import pytest

from telegram.reading import reports
from tests.helpers.telegram_messages import ANNA, CHANNEL, GROUP, message


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ({"type": "user", "sender_user": ANNA}, "Анна"),
        ({"type": "hidden_user", "sender_user_name": "Пётр"}, "Пётр"),
        ({"type": "chat", "sender_chat": GROUP, "author_signature": "дежурный"}, "Ops (дежурный)"),
        ({"type": "channel", "chat": CHANNEL, "message_id": 7, "author_signature": "Ира"}, "News (Ира)"),
        ({"type": "hidden_user", "sender_user_name": "\u3164"}, "unknown author"),
        ({"type": "planet"}, "unknown author"),
        ("planet", "unknown author"),
    ],
)
def test_the_origin_of_a_forward_is_named(origin, name):
    report = reports.read(message(text="Авария", forward_origin=origin))
    assert report.description == f"[forwarded from {name}]\nАвария"
    assert report.author.name == "Анна"


def test_the_quoted_part_is_part_of_the_words():
    report = reports.read(message(text="Опять", quote={"text": "строка 1\nстрока 2"}, reply_to_message=message()))
    assert report.description == "> строка 1\n> строка 2\nОпять"


def test_a_message_of_another_chat_that_it_replies_to_is_part_of_the_words():
    external = {"origin": {"type": "channel", "chat": CHANNEL}, "chat": CHANNEL, "voice": {"duration": 5}}
    report = reports.read(message(text="Это у нас", external_reply=external, quote={"text": "насос"}))
    assert report.description == "[reply to News] [voice message, 0:05]\n> насос\nЭто у нас"
    assert report.reply_to is None


def test_a_story_that_it_replies_to_is_named():
    report = reports.read(message(text="Где это?", reply_to_story={"chat": CHANNEL, "id": 1}))
    assert report.description == "[reply to a story by News]\nГде это?"


def test_a_long_text_is_cut_with_a_mark():
    report = reports.read(message(text="😀" * 30_000))
    assert len(report.description) == 20_000
    assert report.description.endswith("😀 […]")


def test_what_no_database_stores_is_replaced_visibly():
    text = json.loads(r'"a\u0000b\ud83dc\ud83d\ude00"')
    report = reports.read(message(text=text, **{"from": ANNA | {"first_name": text}}))
    assert report.description == report.author.name == "a␀b�c😀"


def test_markup_is_text():
    text = '<b>a_*[x](y)</b & "\u202e%s {0}'
    assert reports.read(message(text=text)).description == text


def test_an_album_has_the_captions_of_its_parts():
    photos = [message(photo=[{}]), message(photo=[{}], message_id=11), message(photo=[{}], caption="Течь")]
    parts = [reports.read(photo | {"media_group_id": "a"}) for photo in photos]
    assert {part.media_group_id for part in parts} == {"a"}
    words = [(part.description, part.has_text) for part in parts]
    assert reports.album_description(words) == "Течь"
    assert reports.album_description(words[:1]) == parts[0].description


def test_the_text_of_a_command_replaces_what_was_typed():
    assert reports.read(message(text="/incident Течь"), without_command=True).description == "Течь"
    assert reports.read(message(photo=[{}], caption="/incident"), without_command=True).description.startswith("[photo")


def link(offset, length, url="http://e.org/1"):
    return {"type": "text_link", "offset": offset, "length": length, "url": url}


@pytest.mark.parametrize(
    ("text", "entities", "words"),
    [
        ("см. лог и бак", [link(4, 3)], "см. лог (http://e.org/1) и бак"),
        ("😀 лог", [link(3, 3), {"type": "bold", "offset": 3, "length": 3}], "😀 лог (http://e.org/1)"),
        ("лог бак", [link(4, 3, "http://e.org/2"), link(0, 3)], "лог (http://e.org/1) бак (http://e.org/2)"),
        ("http://e.org/1", [link(0, 14)], "http://e.org/1"),
        ("лог", [link(0, 3, "")], "лог"),
        ("лог", [link(0, 99)], "лог (http://e.org/1)"),
        ("лог", [link(-1, 3), link("0", 3), {"type": "text_link"}, 5, link(0, 2**70)], "лог"),
        ("😀", [link(1, 1)], "\ufffd\ufffd (http://e.org/1)"),
        ("лог", "x", "лог"),
    ],
)
def test_the_addresses_of_links_are_kept(text, entities, words):
    assert reports.read(message(text=text, entities=entities)).description == words
    captioned = reports.read(message(photo=[{}], caption=text, caption_entities=entities))
    assert captioned.description.startswith(f"{words}\n[photo]")


def test_a_link_in_the_description_of_a_poll():
    poll = {"question": "Кто?", "description": "см. лог", "description_entities": [link(4, 3)], "options": []}
    assert "см. лог (http://e.org/1)" in reports.read(message(poll=poll)).description
