"""A card's text and buttons."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.models import Source, Status
from telegram.bot_api.client import length
from telegram.sending.cards import Mark, Press, card_text, cut, keyboard, parse_callback

LARGEST = 2**63 - 1


def card(**fields):
    known = {
        "number": 42,
        "status": Status.OPEN,
        "source": Source.OPERATOR,
        "description": "Насос 3 стоит",
        "author": "Анна",
        "handler": None,
        "created_at": datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
        "updated_at": datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
        "language": "en",
        "zone": UTC,
    }
    return card_text(**known | fields)


def test_a_card_shows_the_incidents_state():
    assert card() == "№ 42 · Open\nSource: Operator\nAuthor: Анна\nCreated: 15 January 2024, 10:30 UTC\n\nНасос 3 стоит"


def test_in_russian_and_in_the_chats_zone():
    text = card(
        status=Status.IN_PROGRESS,
        handler="Пётр",
        updated_at=datetime(2024, 1, 15, 22, 5, tzinfo=UTC),
        language="ru",
        zone=ZoneInfo("Europe/Moscow"),
        attachments=3,
        link="https://example.org/i/42",
    )
    assert text.splitlines()[:-2] == [
        "№ 42 · В работе",
        "Источник: Оператор",
        "Автор: Анна",
        "Занимается: Пётр",
        "Создан: 15 января 2024, 13:30 MSK",
        "Изменён: 16 января 2024, 01:05 MSK",
        "3 вложения",
        "https://example.org/i/42",
    ]


@pytest.mark.parametrize(
    "description", ["я" * 20_000, "😀я" * 10_000, "👨‍👩‍👧‍👦" * 2_500, "e\u0301" * 9_000, "\u0301" * 20_000]
)
def test_a_long_description_is_cut_to_what_telegram_takes(description):
    text = card(description=description, link="https://example.org/i/42")
    assert 4060 < length(text) <= 4096
    assert text.startswith("№ 42")
    assert "https://example.org/i/42\n\n" in text
    assert text.endswith("…")


def test_markup_and_marks_of_direction_are_shown_as_they_are():
    description = '<b>a_*[x](y)</b & "\u202eabc\u200b'
    assert card(description=description).endswith(f"\n\n{description}")


@pytest.mark.parametrize(
    ("text", "units", "start"),
    [
        ("abcd", 4, "abcd"),
        ("abcde", 4, "abc…"),
        ("a😀😀", 4, "a😀…"),
        ("a😀😀", 3, "a…"),
        ("ae\u0301e\u0301", 4, "ae\u0301…"),
        ("abe\u0301c", 4, "ab…"),
        ("a👍🏽b", 4, "a…"),
        ("🇷🇺🇩🇪", 7, "🇷🇺…"),
        ("a👨‍👩‍👧b", 8, "a…"),
        ("☎\ufe0fab", 2, "…"),
    ],
)
def test_characters_are_not_split(text, units, start):
    assert cut(text, units) == start


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_cut_text_fits(text, units):
    assert length(cut(text, units)) <= units


def test_there_is_a_button_for_each_other_status():
    row, _mark = keyboard(42, Status.OPEN, "ru")["inline_keyboard"]
    assert [button["text"] for button in row] == ["В работе", "Решён", "Закрыт"]
    assert parse_callback(row[0]["callback_data"]) == Press(42, Status.OPEN, Status.IN_PROGRESS)


@pytest.mark.parametrize(("urgent", "text"), [(False, "❗ Срочно"), (True, "Не срочно")])
def test_a_button_marks_what_is_urgent_and_takes_the_mark_away(urgent, text):
    _row, (button,) = keyboard(42, Status.OPEN, "ru", urgent=urgent)["inline_keyboard"]
    assert button["text"] == text
    assert parse_callback(button["callback_data"]) == Mark(42, not urgent)


@pytest.mark.parametrize("status", Status)
def test_a_button_fits_for_the_largest_id(status):
    rows = keyboard(LARGEST, status, "en")["inline_keyboard"]
    row = [button for row in rows for button in row]
    assert all(len(button["callback_data"].encode()) <= 64 for button in row)
    assert {parse_callback(button["callback_data"]).number for button in row} == {LARGEST}


@pytest.mark.parametrize(
    "data",
    ["", "1:5:open", "2:5:open:closed", "1:5:open:burnt", "1:0:open:closed", "1:-5:open:closed",
     "1:5:urgent:maybe", "1:5:urgent:", f"1:{LARGEST + 1}:urgent:true", "1:0:urgent:true", "1:5:urgent:true\n",
     "1:٥:open:closed", f"1:{LARGEST + 1}:open:closed", "1:5:open:closed\n", "1:5:open:closed:x"],
)  # fmt: skip
def test_what_no_card_sends_is_no_press(data):
    assert parse_callback(data) is None
