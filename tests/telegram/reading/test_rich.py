"""Rich messages become plain text, block by block."""

import pytest

from telegram.reading import reports
from tests.helpers.telegram_messages import message, paragraphs

A, B = paragraphs("a")["blocks"], paragraphs("b")["blocks"]


def bold(text):
    return {"type": "bold", "text": text}


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "paragraph", "text": ["Насос ", bold(["3", {"type": "italic", "text": " стоит"}])]}, "Насос 3 стоит"),
        ({"type": "heading", "text": "Смена", "size": 1}, "Смена"),
        ({"type": "pre", "text": "x = 1\ny = 2", "language": "python"}, "x = 1\ny = 2"),
        ({"type": "footer", "text": "конец"}, "конец"),
        ({"type": "divider"}, "———"),
        ({"type": "mathematical_expression", "expression": "a^2"}, "a^2"),
        ({"type": "list", "items": [{"label": "1.", "blocks": A}, {"label": "2.", "blocks": B}]}, "1. a\n2. b"),
        ({"type": "list", "items": [{"label": "•", "blocks": [*A, *B]}]}, "• a\n  b"),
        ({"type": "list", "items": [{"label": "•", "blocks": A, "has_checkbox": True, "is_checked": True}]}, "• [x] a"),
        ({"type": "blockquote", "blocks": [*A, *B], "credit": "Ира"}, "> a\n> b\n— Ира"),
        ({"type": "pullquote", "text": "a"}, "> a"),
        ({"type": "expandable_blockquote", "text": "a"}, "> a"),
        ({"type": "table", "cells": [[{"text": "a"}, {}, {"text": "b"}]], "caption": "Т"}, "a |  | b\nТ"),
        ({"type": "details", "summary": "Ещё", "blocks": A}, "Ещё\na"),
        ({"type": "photo", "photo": [], "caption": {"text": "Течь", "credit": "Ира"}}, "[photo]\nТечь\n— Ира"),
        ({"type": "voice_note", "voice_note": {"duration": 12}}, "[voice message, 0:12]"),
        ({"type": "document", "document": {"file_name": "a.txt"}}, "[file, a.txt]"),
        ({"type": "map", "location": {"latitude": "x"}}, "[location]"),
        ({"type": "collage", "blocks": [{"type": "photo"}, {"type": "video"}]}, "[photo]\n[video]"),
        ({"type": "buttons", "buttons": [{"text": "Да"}]}, "[Да]"),
        ({"type": "buttons", "buttons": [{"text": "Лог", "url": "http://e.org"}]}, "[Лог (http://e.org)]"),
        ({"type": "paragraph", "text": {"type": "custom_emoji", "alternative_text": "🔥"}}, "🔥"),
        ({"type": "paragraph", "text": {"type": "url", "text": "лог", "url": "http://e.org"}}, "лог (http://e.org)"),
        ({"type": "paragraph", "text": {"type": "button", "button": {"text": "Да"}}}, "[Да]"),
        ({"type": "paragraph", "text": {"type": "sparkle", "text": "новое"}}, "новое"),
    ],
)
def test_blocks(block, text):
    report = reports.read(message(rich_message={"blocks": [block]}))
    assert (report.description.partition("\nhttps://t.me")[0], report.unknown) == (text, False)


def test_photos_and_files_in_it_are_linked():
    report = reports.read(message(rich_message={"blocks": [*A, {"type": "photo"}]}))
    assert report.description == "a\n[photo]\nhttps://t.me/c/1234567890/10"


def test_the_order_of_blocks_is_kept():
    blocks = [*A, {"type": "list", "items": [{"label": "•", "blocks": B}]}, *paragraphs("c")["blocks"]]
    report = reports.read(message(rich_message={"blocks": blocks}))
    assert (report.kind, report.description) == ("rich_message", "a\n• b\nc")


@pytest.mark.parametrize("inner", [{"text": "a"}, {"blocks": A}])
def test_an_unknown_block_leaves_a_mark_and_its_text(inner):
    report = reports.read(message(rich_message={"blocks": [{"type": "hologram"} | inner]}))
    assert report.description == "[block of an unknown kind: hologram]\na"
    assert report.unknown


def test_nesting_without_end_is_cut():
    block, text = A[0], "a"
    for _ in range(300):
        block, text = {"type": "details", "summary": "s", "blocks": [block]}, bold([text])
    report = reports.read(message(rich_message={"blocks": [block, {"type": "paragraph", "text": text}]}))
    assert report.description.endswith("[…]\n[…]")
