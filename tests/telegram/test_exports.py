"""Telegram Desktop's export gives the same reports as the bot's updates."""

import io
import json
import random
import tracemalloc
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram.history import export
from telegram.reading import reports
from telegram.reading.authors import Author
from telegram.reading.reports import NotUnderstoodError
from tests.helpers.telegram_messages import DATE, GROUP, json_values, message

CHAT = {"name": "Ops", "type": "private_supergroup", "id": 1234567890}


def entry(**fields):
    written = {
        "id": 10,
        "type": "message",
        "date": "2024-01-15T13:30:00",
        "date_unixtime": str(DATE),
        "from": "Анна",
        "from_id": "user7000000001",
        "text": "Насос 3 стоит",
        "text_entities": [],
    }
    return written | fields


def read(*entries, chat=CHAT, **options):
    document = json.dumps(chat | {"messages": entries}).encode()
    return list(export.read(io.BytesIO(document), **options))


def read_one(**fields):
    (report,) = read(entry(**fields))
    return report


def test_an_entry_gives_the_report_that_the_bot_made_of_the_message():
    assert read_one() == reports.read(message(text="Насос 3 стоит"))


@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ({"photo": "photos/1.jpg", "width": 5, "height": 5, "text": ""}, {"photo": []}),
        ({"photo": "photos/1.jpg", "text": "Течь"}, {"photo": [], "caption": "Течь"}),
        ({"file": "v.ogg", "media_type": "voice_message", "duration_seconds": 12}, {"voice": {"duration": 12}}),
        ({"file": "v.mp4", "media_type": "video_message", "duration_seconds": 5}, {"video_note": {"duration": 5}}),
        ({"file": "f/a.mp4", "media_type": "video_file"}, {"video": {"file_name": "a.mp4"}}),
        ({"file": "(File not included.)", "media_type": "animation"}, {"animation": {}}),
        ({"file": "a.mp3", "media_type": "audio_file", "title": "T"}, {"audio": {"title": "T"}}),
        ({"file": "files/log (1).txt", "mime_type": "text/plain"}, {"document": {"file_name": "log (1).txt"}}),
        ({"file": "(File exceeds maximum size.)", "file_name": "a.zip"}, {"document": {"file_name": "a.zip"}}),
        (
            {"contact_information": {"first_name": "A", "last_name": "", "phone_number": "+7"}},
            {"contact": {"first_name": "A", "phone_number": "+7"}},
        ),
        (
            {"location_information": {"latitude": 55.75, "longitude": 37.61}},
            {"location": {"latitude": 55.75, "longitude": 37.61}},
        ),
        (
            {"location_information": {"latitude": 1.5, "longitude": 2}, "live_location_period_seconds": 60},
            {"location": {"latitude": 1.5, "longitude": 2.0, "live_period": 60}},
        ),
        (
            {"place_name": "A", "address": "B", "location_information": {"latitude": 1.5, "longitude": 2.5}},
            {"venue": {"title": "A", "address": "B", "location": {"latitude": 1.5, "longitude": 2.5}}},
        ),
        (
            {"poll": {"question": "Ok?", "answers": [{"text": "Yes", "voters": 1}]}},
            {"poll": {"question": "Ok?", "options": [{"text": "Yes"}]}},
        ),
        (
            {"todo_list": {"title": ["Do"], "answers": [{"text": "a", "id": 1}]}},
            {"checklist": {"title": "Do", "tasks": [{"text": "a"}]}},
        ),
        ({"media_type": "sticker", "file": "s.webp", "sticker_emoji": "👍"}, {"sticker": {"emoji": "👍"}}),
        ({"game_title": "Chess"}, {"game": {"title": "Chess"}}),
        ({"giveaway_information": {}}, {"giveaway": {}}),
        (
            {"invoice_information": '{\n "title": "Насос \\\\x1F\\"3\\"",\n "description": "",\n "amount": 5\n}'},
            {"invoice": {"title": 'Насос \\x1F"3"'}},
        ),
        ({"invoice_information": '{"title": "a\\\\u2028b"}'.replace("\\\\", "\\")}, {"invoice": {"title": "a\u2028b"}}),
        ({"invoice_information": {"title": "Насос"}}, {"invoice": {"title": "Насос"}}),
        ({"invoice_information": "{"}, {"invoice": {}}),
        ({"photo_file_size": 0, "self_destruct_period_seconds": 5}, {"photo": []}),
        ({"self_destruct_period_seconds": 5}, {"photo": []}),
        ({"file_size": 0, "self_destruct_period_seconds": 5}, {"document": {}}),
        ({"file_size": 0, "media_type": "voice_message", "duration_seconds": 5}, {"voice": {"duration": 5}}),
        ({"paid_stars_amount": 5}, {"paid_media": {}}),
        ({"hologram": 5}, {"hologram": 5}),
        (
            {"forwarded_from": "Пётр", "text": "x"},
            {"forward_origin": {"type": "hidden_user", "sender_user_name": "Пётр"}, "text": "x"},
        ),
        ({"forwarded_from": None, "text": "x"}, {"forward_origin": {"type": "hidden_user"}, "text": "x"}),
        ({"reply_to_message_id": 5, "text": "x"}, {"reply_to_message": {"message_id": 5}, "text": "x"}),
        ({"reply_to_message_id": 5, "reply_to_peer_id": "channel9", "text": "x"}, {"text": "x"}),
        (
            {"reply_to_message_id": 5, "reply_to_peer_id": "channel1234567890", "text": "x"},
            {"reply_to_message": {"message_id": 5}, "text": "x"},
        ),
        (
            {"text": ["см. ", {"type": "text_link", "text": "лог", "href": "http://e.org/1"}]},
            {"text": "см. лог", "entities": [{"type": "text_link", "offset": 4, "length": 3, "url": "http://e.org/1"}]},
        ),
        ({"edited_unixtime": str(DATE + 5), "edited": "x", "text": "x"}, {"edit_date": DATE + 5, "text": "x"}),
    ],
)
def test_each_kind_has_the_words_that_the_bot_uses(fields, same):
    assert read_one(**{"text": ""} | fields) == reports.read(message(**same))


def test_text_is_a_string_or_a_list():
    parts = ["Насос ", {"type": "bold", "text": "3"}, {"type": "link", "text": " http://example.org"}, 5, None, {}]
    assert read_one(text=parts).description == "Насос 3 http://example.org"
    assert read_one(text=[]).description.startswith("[no text]")


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        ({"from": None}, Author("deleted account 7000000001", user_id=7000000001)),
        ({"from": "Telegram", "from_id": "user777000"}, Author("Telegram")),
        ({"from_id": 7000000001}, Author("Анна", user_id=7000000001)),
        ({"from": "Ops", "from_id": "channel1234567890", "author": "дежурный"}, Author("Ops (дежурный)")),
        ({"from": None, "from_id": "channel5"}, Author("chat -1000000000005")),
        ({"from": None, "from_id": None}, Author("unknown author")),
        ({"from_id": "planet5"}, Author("Анна")),
    ],
)
def test_authors(fields, author):
    assert read_one(**fields).author == author


def test_service_entries_are_skipped_visibly():
    service = {"type": "service", "actor": "Анна", "actor_id": "user7000000001", "action": "pin_message"}
    assert read_one(**service, text="").skip == "service message"


def test_what_desktop_does_not_export_is_marked():
    before, report = read(entry(), {"id": 11, "type": "unsupported"})
    assert (report.unknown, report.date) == (True, before.date)
    assert report.description.startswith("[message of an unknown kind: unsupported]")


def test_topics_are_kept():
    started = entry(id=5, type="service", action="topic_created", title="Насосы", text="")
    _, first, reply = read(started, entry(id=6, reply_to_message_id=5), entry(id=7, reply_to_message_id=6))
    assert (first.thread_id, first.reply_to, first.link) == (5, None, "https://t.me/c/1234567890/5/6")
    assert (reply.thread_id, reply.reply_to) == (None, 6)


@pytest.mark.parametrize(
    ("kind", "number", "chat_id", "message_id"),
    [
        ("private_supergroup", 1234567890, -1001234567890, 10),
        ("public_supergroup", 1234567890, -1001234567890, 10),
        ("private_channel", 997852516352, -1997852516352, 10),
        ("public_channel", -1001234567890, -1001234567890, 10),
        # Here each account numbers messages for itself: these are not the ids that the bot has.
        ("private_group", 4001, -4001, -999999990),
        ("personal_chat", 7000000001, 7000000001, -999999990),
        ("bot_chat", 5000000001, 5000000001, -999999990),
    ],
)
def test_ids_are_those_that_bots_know(kind, number, chat_id, message_id):
    (report,) = read(entry(), chat={"name": "A", "type": kind, "id": number})
    assert (report.chat_id, report.message_id) == (chat_id, message_id)


def test_history_from_before_an_upgrade_keeps_its_own_numbers():
    report = read_one(id=-999999995, reply_to_message_id=-999999996)
    assert (report.message_id, report.reply_to, report.link) == (-999999995, -999999996, None)


@pytest.mark.parametrize(
    ("fields", "date"),
    [
        ({}, datetime(2024, 1, 15, 10, 30, tzinfo=UTC)),
        ({"date_unixtime": None, "date": "2020-06-01T03:00:00"}, datetime(2020, 6, 1, tzinfo=UTC)),
        ({"date_unixtime": "0", "date": "x"}, None),
        ({"date_unixtime": "٥", "date": "9999-99-99"}, None),
    ],
)
def test_dates(fields, date):
    (report,) = read(entry(**fields), zone=ZoneInfo("Europe/Moscow"))
    assert report.date == date
    assert read_one(edited="1970-01-01T03:00:00").edited is None


def account(*chats, left=()):
    other = {"about": "x", "personal_information": {"user_id": 1}, "contacts": {"list": [{"date": "x"}]}}
    return io.BytesIO(json.dumps(other | {"chats": {"list": chats}, "left_chats": {"list": left}}).encode())


def test_the_export_of_a_whole_account():
    other = CHAT | {"id": 5, "messages": [entry(id=1), entry(id=2)]}
    file = account(
        CHAT | {"messages": [entry()]}, {"type": "saved_messages", "id": 9, "messages": []}, other, left=[other]
    )
    found = [(report.chat_id, report.message_id) for report in export.read(file)]
    assert found == [(GROUP["id"], 10), *[(-1000000000005, 1), (-1000000000005, 2)] * 2]


def test_one_chat_of_an_account():
    file = account(CHAT | {"id": 5, "messages": [entry()]}, CHAT | {"messages": [entry()]})
    assert [report.chat_id for report in export.read(file, only=GROUP["id"])] == [GROUP["id"]]


def test_topics_of_one_chat_are_none_of_another():
    started = entry(id=5, type="service", action="topic_created", text="")
    file = account(CHAT | {"messages": [started]}, CHAT | {"messages": [entry(reply_to_message_id=5)]})
    assert [report.reply_to for report in export.read(file)] == [None, 5]


@pytest.mark.parametrize(
    ("chat", "peer"),
    [
        ({"type": "private_group", "id": 4001}, "chat4001"),
        ({"type": "personal_chat", "id": 7000000001}, "user7000000001"),
    ],
)
def test_a_reply_that_names_its_own_chat(chat, peer):
    (report,) = read(entry(reply_to_message_id=5, reply_to_peer_id=peer), chat={"name": "A"} | chat)
    assert report.reply_to == 5 - 1_000_000_000


def test_a_bad_entry_or_chat_stops_nothing():
    bad, good = read(entry(id="x"), entry())
    assert isinstance(bad, NotUnderstoodError)
    assert good.message_id == 10
    file = account({"type": "planet", "id": 5, "messages": [entry(), entry()]}, CHAT | {"messages": [None, entry()]})
    assert [type(item).__name__ for item in export.read(file)] == ["NotUnderstoodError"] * 2 + ["Report"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"<html>", b"5", b"\xff\xfe", b'{"messages": 5}', b'{"a":1e999999999}', b"[" * 100_000],
)
def test_what_is_no_export_is_told(content):
    with pytest.raises(NotUnderstoodError):
        list(export.read(io.BytesIO(content)))


def test_a_file_that_ends_early_gives_what_it_has():
    document = json.dumps(CHAT | {"messages": [entry(), entry(id=11)]}).encode()
    found = []
    with pytest.raises(NotUnderstoodError, match="no whole JSON"):
        found.extend(export.read(io.BytesIO(document[:-100])))
    reader = export.read(io.BytesIO(document[:-100]))
    assert next(reader).message_id == 10


SIZES = [1, 2, 3, 5, 7, 13, 64, 1 << 17]


def read_raw(text, size, monkeypatch):
    """The reports of a file in which the text of the first of two messages stands as these bytes."""
    monkeypatch.setattr(export, "BUFFER_SIZE", size)
    document = json.dumps(CHAT | {"messages": [entry(text="TEXT"), entry(id=11)]}, ensure_ascii=False)
    return list(export.read(io.BytesIO(b"\xef\xbb\xbf" + document.encode().replace(b"TEXT", text))))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"a\x1Fb\\x41\\\x00c\n\b\f\"\\", 'a\x1fb\\x41\\␀c\n\b\f"\\'),
        (b"a\\u2028\x80\xa8b\\u2029\x80\xa9\xd1\x8f", "a\u2028b\u2029я"),
        (rb"a\u2028b \\u2028", "a\u2028b \\u2028"),  # if the writer is mended
        ("a\u2028я😀".encode(), "a\u2028я😀"),
        (b"a\x80\xa8b\xd1 \xf0\x9f\x98", "a\ufffd\ufffdb\ufffd \ufffd"),
        (b"\xed\xa0\xbda\xc0\x80b", "\ufffd\ufffd\ufffda\ufffd\ufffdb"),
        (rb"a\ud83d \ud83d\u0041 \udc00\ud83d\ude00", "a\ufffd \ufffdA \ufffd😀"),
        (rb"a\u0000b\q\u12 \xZ", r"a␀b\q\u12 \xZ"),
        (b"a\x00\x01\x1f\n\tb\x7f", "a␀\x01\x1f\n\tb\x7f"),
    ],
)
def test_no_byte_ends_a_file(written, read, size, monkeypatch):
    first, second = read_raw(written, size, monkeypatch)
    assert first.description == read
    assert second.message_id == 11


def test_any_single_byte_in_a_text(monkeypatch):
    for byte in {*range(256)} - {ord('"')}:
        assert [report.message_id for report in read_raw(b"a%cb" % byte, 1 << 17, monkeypatch)] == [10, 11]


def test_zeros_at_the_end_as_a_crash_leaves_them():
    document = json.dumps(CHAT | {"messages": [entry()]}).encode() + b"\0" * 5000
    assert len(list(export.read(io.BytesIO(document)))) == 1


def test_memory_stays_constant():
    class Endless(io.RawIOBase):
        """10,000 messages, about 4 MB."""

        def __init__(self):
            head, item = json.dumps(CHAT)[:-1] + ', "messages": [', json.dumps(entry(text="я" * 20)) + ","
            self.parts = iter([head, *[item * 100] * 100, json.dumps(entry()) + "]}"])
            self.rest = b""

        def read(self, size=-1):
            while len(self.rest) < size and (part := next(self.parts, None)):
                self.rest += part.encode()
            part, self.rest = self.rest[:size], self.rest[size:]
            return part

    reader = export.read(Endless())
    next(reader)
    tracemalloc.start()
    assert sum(1 for _ in reader) == 10_000
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


OTHERS = "poll answers question file media_type photo location_information latitude place_name todo_list action"
KEYS = sorted({*export.METADATA, *export.MEDIA_TYPES, *OTHERS.split(), "contact_information"})
fields = st.dictionaries(st.sampled_from(KEYS), json_values(st.sampled_from(KEYS)), max_size=6)


@given(st.lists(fields | json_values(st.sampled_from(KEYS)), max_size=4), st.randoms(use_true_random=False))
def test_whatever_an_export_holds(entries, rng: random.Random):
    written = [entry(**item) if isinstance(item, dict) and rng.random() < 0.7 else item for item in entries]
    document = json.dumps(CHAT | {"messages": written}).encode()
    for cut in (len(document), rng.randrange(len(document))):
        try:
            for found in export.read(io.BytesIO(document[:cut])):
                assert isinstance(found, NotUnderstoodError) or found.description.strip()
        except NotUnderstoodError:
            pass
