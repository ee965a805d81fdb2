"""Rich messages as Telegram Desktop 7 exports them have the words that the bot gives them."""

import pytest

from telegram.reading import reports
from tests.helpers.telegram_messages import message
from tests.telegram.test_exports import read_one

LINK = "https://t.me/c/1234567890/10"


def plain(text):
    return {"type": "plain", "text": text}


def paragraph(text):
    return {"type": "paragraph", "text": plain(text)}


def words(*blocks):
    report = read_one(text=None, text_entities=None, rich_message={"rtl": False, "part": False, "blocks": blocks})
    return report.description, report.unknown


CAPTION = {"text": plain("Течь"), "credit": {"type": "empty"}}
A, B = paragraph("a"), paragraph("b")


def item(text, **fields):
    return {"task_state": "none", "content": "text", "text": plain(text)} | fields


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "heading", "level": 1, "text": plain("Смена")}, "Смена"),
        ({"type": "footer", "text": plain("конец")}, "конец"),
        ({"type": "thinking", "text": plain("думаю")}, "думаю"),
        ({"type": "author_date", "author": plain("Ира"), "date": "2026-01-01T00:00:00"}, "Ира"),
        ({"type": "code", "text": plain("x = 1"), "language": "python"}, "x = 1"),
        ({"type": "divider"}, "———"),
        ({"type": "math", "formula": "a^2"}, "a^2"),
        ({"type": "list", "kind": "bullet", "items": [item("a"), item("b", task_state="checked")]}, "• a\n• [x] b"),
        ({"type": "list", "kind": "bullet", "items": [item("a", task_state="unchecked")]}, "• [ ] a"),
        ({"type": "list", "kind": "ordered", "reversed": False, "items": [item("a"), item("b")]}, "1. a\n2. b"),
        ({"type": "list", "kind": "ordered", "start": 3, "items": [item("a"), item("b", value=7)]}, "3. a\n7. b"),
        ({"type": "list", "kind": "ordered", "items": [item("a", num="iv")]}, "iv. a"),
        (
            {
                "type": "list",
                "kind": "bullet",
                "items": [{"content": "blocks", "blocks": [A, B], "task_state": "none"}],
            },
            "• a\n  b",
        ),
        (
            {"type": "quote", "content": "text", "pullquote": False, "text": plain("a"), "caption": plain("Ира")},
            "> a\n— Ира",
        ),
        (
            {"type": "quote", "content": "text", "pullquote": True, "text": plain("a"), "caption": {"type": "empty"}},
            "> a",
        ),
        ({"type": "quote", "content": "blocks", "pullquote": False, "blocks": [A, B]}, "> a\n> b"),
        ({"type": "photo", "photo_id": "5", "photo": "p.jpg", "caption": CAPTION}, f"[photo]\nТечь\n{LINK}"),
        ({"type": "video", "file_name": "a.mp4", "duration_seconds": 5}, f"[video, a.mp4, 0:05]\n{LINK}"),
        ({"type": "video", "media_type": "animation", "file_name": "a.mp4"}, f"[animation, a.mp4]\n{LINK}"),
        ({"type": "audio", "media_type": "voice_message", "duration_seconds": 12}, f"[voice message, 0:12]\n{LINK}"),
        ({"type": "audio", "media_type": "audio_file", "title": "T"}, f"[audio, T]\n{LINK}"),
        ({"type": "file", "file_name": "log.txt"}, f"[file, log.txt]\n{LINK}"),
        ({"type": "cover", "block": {"type": "photo"}}, f"[photo]\n{LINK}"),
        ({"type": "collage", "items": [{"type": "photo"}], "caption": CAPTION}, f"[photo]\nТечь\n{LINK}"),
        ({"type": "slideshow", "items": [{"type": "photo"}, {"type": "video"}]}, f"[photo]\n[video]\n{LINK}"),
        ({"type": "embed", "url": "http://e.org", "html": "<b>", "caption": CAPTION}, "http://e.org\nТечь"),
        ({"type": "embed_post", "url": "http://e.org", "author": "Ира", "blocks": [A]}, "Ира\nhttp://e.org\na"),
        ({"type": "channel", "channel": {"title": "News", "username": "ops_news"}}, "News (https://t.me/ops_news)"),
        ({"type": "channel", "channel": {"title": "News"}}, "News"),
        (
            {"type": "table", "title": plain("Т"), "rows": [{"cells": [{"text": plain("a")}, {"header": True}]}]},
            "a | \nТ",
        ),
        ({"type": "details", "title": plain("Ещё"), "open": True, "blocks": [A]}, "Ещё\na"),
        (
            {"type": "related_articles", "title": plain("Ещё"), "articles": [{"url": "http://e.org", "title": "A"}]},
            "Ещё\nA (http://e.org)",
        ),
        (
            {
                "type": "button_row",
                "buttons": [{"text": plain("Лог"), "button": {"type": "url", "url": "http://e.org"}}],
            },
            "[Лог (http://e.org)]",
        ),
        (
            {
                "type": "paragraph",
                "text": {"type": "concat", "text": [plain("a"), {"type": "bold", "text": plain("b")}]},
            },
            "ab",
        ),
        (
            {"type": "paragraph", "text": {"type": "text_link", "href": "http://e.org", "text": plain("лог")}},
            "лог (http://e.org)",
        ),
        ({"type": "paragraph", "text": {"type": "link", "text": plain("http://e.org")}}, "http://e.org"),
        ({"type": "paragraph", "text": {"type": "custom_emoji", "text": "🔥", "document_id": "5"}}, "🔥"),
        ({"type": "paragraph", "text": {"type": "math", "source": "a^2"}}, "a^2"),
        ({"type": "paragraph", "text": {"type": "mention_name", "user_id": "5", "text": plain("Анна")}}, "Анна"),
        ({"type": "paragraph", "text": {"type": "formatted_date", "text": plain("завтра"), "date": "x"}}, "завтра"),
        ({"type": "paragraph", "text": {"type": "diff", "text": plain("new"), "old_text": plain("old")}}, "new"),
        (
            {"type": "paragraph", "text": {"type": "button", "text": plain("Да"), "button": {"type": "callback"}}},
            "[Да]",
        ),
        ({"type": "paragraph", "text": {"type": "sparkle", "text": plain("новое")}}, "новое"),
    ],
)
def test_each_block(block, text):
    assert words(block) == (text, False)


def test_blocks_in_their_order_as_the_bot_has_them():
    exported = words(A, {"type": "list", "kind": "bullet", "items": [item("x")]}, B)
    blocks = [{"type": "paragraph", "text": "a"}, {"type": "list", "items": [{"label": "•", "blocks": [
        {"type": "paragraph", "text": "x"}]}]}, {"type": "paragraph", "text": "b"}]  # fmt: skip
    live = reports.read(message(rich_message={"blocks": blocks}))
    assert exported == (live.description, live.unknown) == ("a\n• x\nb", False)


def test_a_map():
    point = {"source_type": "geo_point", "latitude": 55.75, "longitude": 37.61}
    text, _ = words({"type": "map", "geo": point, "zoom": 15, "caption": CAPTION})
    assert text.startswith("[location, 55.75, 37.61]\nhttps://www.openstreetmap.org/") and "\nТечь\n" in text


@pytest.mark.parametrize("inner", [{"text": plain("a")}, {"blocks": [A]}])
def test_a_block_that_is_not_known_keeps_its_text(inner):
    assert words({"type": "hologram"} | inner) == ("[block of an unknown kind: hologram]\na", True)


def test_what_desktop_could_not_read_is_marked():
    block = {"type": "unsupported", "source_type": "page_block_unsupported", "unsupported": True}
    assert words(A, block) == ("a\n[block of an unknown kind: unsupported]", True)


def test_nesting_without_end_is_cut():
    block, text = A, plain("a")
    for _ in range(60):
        block = {"type": "details", "title": plain("s"), "blocks": [block]}
        text = {"type": "bold", "text": text}
    assert words(block, {"type": "paragraph", "text": text})[0].endswith("[…]\n[…]")


@pytest.mark.parametrize("broken", [None, 5, "x", [], {}, {"blocks": 5}, {"blocks": [5, None, "x", []]}])
def test_whatever_stands_there(broken):
    assert read_one(rich_message=broken, text="").description.startswith("[")
