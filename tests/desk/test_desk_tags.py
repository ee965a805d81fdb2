"""What the templates of the operators' desk say of a status and of an age."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation

from desk.templatetags.desk import age, status_pill


@pytest.mark.parametrize(("language", "word"), [("en", "In progress"), ("ru", "В работе")])
def test_a_pill_has_the_word(language, word):
    with translation.override(language):
        assert status_pill("in_progress") == f'<span class="pill pill-in_progress">{word}</span>'


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        (timedelta(seconds=-5), "только что"),
        (timedelta(seconds=59), "только что"),
        (timedelta(minutes=1), "1 минута"),
        (timedelta(minutes=5, seconds=30), "5 минут"),
        (timedelta(hours=2, minutes=10), "2 часа"),
        (timedelta(hours=21), "21 час"),
        (timedelta(days=3, hours=1), "3 дня"),
        (timedelta(days=15), "2 недели"),
        (timedelta(days=800), "2 года"),
    ],
)
def test_an_age_in_russian_words(passed, words):
    with translation.override("ru"):
        assert f">{words}</time>" in age(timezone.now() - passed).replace("\xa0", " ")


def test_on_hover_an_age_shows_the_time_and_its_zone():
    with translation.override("ru"), timezone.override(ZoneInfo("Europe/Moscow")):
        shown = age(datetime(2024, 1, 15, 10, 30, tzinfo=UTC))
    assert 'datetime="2024-01-15T13:30:00+03:00"' in shown and 'title="15 января 2024 г. 13:30 MSK"' in shown
