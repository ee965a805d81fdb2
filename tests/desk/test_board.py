"""The admin's first page: what is open now, its numbers, and what it refuses to show."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import Permission
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from desk import board
from desk.filters import OpenForFilter
from identity.models import User
from incidents import reports
from incidents.actors import Named
from incidents.models import Incident, Status
from incidents.services import change_incident
from intake.models import Delivery
from telegram.models import Card, Chat
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BOARD = "/api/admin/"
PARTS = [BOARD, BOARD + "board/"]


@pytest.fixture(autouse=True)
def nothing_shared():
    cache.clear()


def browser(*permissions, **user):
    user = User.objects.create_user("staff", is_staff=True, **user)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def links(page, text):
    """The addresses of the links that have the text."""
    found = re.findall(rf'<a href="([^"]*)">(?:<[^>]*>|[^<:]*: <strong>)?{text}<', page.content.decode())
    return [unescape(url) for url in found]


@pytest.mark.parametrize("path", PARTS)
def test_what_is_not_taken_then_what_is_in_progress_each_oldest_first(site, path):
    now = timezone.now()
    for hours, status in enumerate(["open", "in_progress", "resolved", "closed", "open", "in_progress"]):
        make_incident(description=f"{hours} ч назад", status=status, created_at=now - timedelta(hours=hours))
    page = site.get(path).content.decode()
    not_taken, taken = page.split("<h2>В работе</h2>")
    assert [re.findall(r"(\d) ч назад", part) for part in (not_taken, taken)] == [["4", "0"], ["5", "1"]]
    assert re.search(r"самый старый: <time[^>]*>5\xa0часов<", not_taken)


def test_the_fifteen_oldest_of_each(site):
    for hours in range(16):
        for status in ("open", "in_progress"):
            make_incident(status=status, created_at=timezone.now() - timedelta(hours=hours))
    shown = site.get(BOARD).context["incidents"]
    for rows in shown.values():
        ages = [timezone.now() - incident.created_at for incident, *_ in rows]
        assert [age // timedelta(hours=1) for age in ages] == [*range(15, 0, -1)]


@pytest.mark.parametrize("status", ["open", "in_progress"])
def test_the_age_is_marked_by_the_steps_of_the_filter(site, status):
    hours = [0.9, 1.1, 4.1, 25, 24 * 8]
    for ago in hours:
        make_incident(status=status, created_at=timezone.now() - timedelta(hours=ago))
    make_incident(status="resolved", created_at=timezone.now() - timedelta(hours=30))
    marks = ["age open-for-1w", "age open-for-1d", "age open-for-4h", "age open-for-1h", "age"]
    rows = site.get(BOARD).content.decode().split("<li>")[-5:]
    assert [re.search(r'<time class="([^"]*)"', row)[1] for row in rows] == marks
    listed = re.findall(r'<time class="([^"]*)"', site.get("/api/admin/incidents/incident/?o=5").content.decode())
    assert sorted(listed) == sorted([*marks, "age"])


def test_each_step_of_the_age_has_a_style():
    css = Path(finders.find("desk/site.css")).read_text()
    assert set(re.findall(r"\.open-for-(\w+)", css)) == set(OpenForFilter.AGES)


def test_who_took_an_incident(site):
    incident = make_incident()
    change_incident(incident, values={"status": "in_progress"}, actor=Named("akhmetov"), channel="api")
    assert "<strong>akhmetov</strong>" in site.get(BOARD).content.decode()


def test_buttons_say_what_the_row_showed(site):
    taken, new = make_incident(status="in_progress"), make_incident()
    page = site.get(BOARD).content.decode()
    forms = re.findall(r'<form method="post" action="(/api/admin/incidents/[^"]*)">(.*?)</form>', page, re.S)
    assert [url for url, _ in forms] == [f"/api/admin/incidents/incident/{one.pk}/status/?row" for one in (new, taken)]
    fields = [re.findall(r'name="(\w+)"\s+value="([^"]*)"', form)[1:] for _, form in forms]
    resolve, back = ("status", "resolved"), ("next", BOARD)
    assert fields == [
        [("shown", "open"), back, ("status", "in_progress"), resolve],
        [("shown", "in_progress"), back, resolve],
    ]


def test_without_the_permission_to_change_there_are_no_buttons():
    make_incident(description="Точка не отвечает")
    page = browser("view_incident").get(BOARD).content.decode()
    assert "Точка не отвечает" in page and "/status/" not in page


@pytest.mark.parametrize("path", PARTS)
def test_without_the_permission_there_is_no_incident_and_no_number(path):
    make_incident(description="Точка не отвечает")
    page = browser().get(path)
    assert "You may not view incidents" in page.content.decode()
    assert "Точка" not in page.content.decode() and "<table" not in page.content.decode()
    if path == BOARD:
        assert not any(name in page.context for name in ("incidents", "counts", "created", "chart"))


@pytest.mark.parametrize("path", PARTS)
def test_it_asks_for_a_log_in(client, path):
    assert client.get(path)["Location"] == f"/api/admin/login/?next={path}"


def test_all_unresolved_are_a_press_away_in_the_same_order(site):
    now = timezone.now()
    for hours, status in enumerate(["open", "in_progress", "closed"]):
        make_incident(status=status, created_at=now - timedelta(hours=hours))
    page = site.get(BOARD)
    assert unescape(page.content.decode()).count(page.context["all_url"]) == 1
    listed = site.get(page.context["all_url"]).context["cl"].result_list
    assert [incident.status for incident in listed] == ["in_progress", "open"]


def test_all_of_a_status_are_a_press_away_in_the_same_order(site):
    for hours in range(3):
        for status in ("open", "in_progress"):
            make_incident(status=status, created_at=timezone.now() - timedelta(hours=hours))
    page = site.get(BOARD)
    for number, rows in zip(page.context["unresolved"], page.context["incidents"].values(), strict=True):
        assert list(site.get(number.url).context["cl"].result_list) == [incident for incident, *_ in rows]


def test_nothing_is_open(site):
    make_incident(status="closed")
    assert "Открытых инцидентов нет." in site.get(BOARD).content.decode()


def test_a_card_of_zeros_is_not_shown(admin_client):
    cards = ['<h2 id="board-counts">', '<h2 id="board-weeks">', "board-faults", "board-numbers"]
    assert [card in admin_client.get(BOARD).text for card in cards] == [False, False, False, False]
    make_incident(created_at=timezone.now() - timedelta(days=31))
    assert [card in admin_client.get(BOARD).text for card in cards] == [True, False, False, True]
    make_incident()
    assert [card in admin_client.get(BOARD).text for card in cards] == [True, True, False, True]
    Delivery.objects.create(channel="webhook", external_id="1", body=b"", state="faulty")
    assert [card in admin_client.get(BOARD).text for card in cards] == [True, True, True, True]


@pytest.mark.parametrize("path", PARTS)
def test_a_hostile_description_is_text(site, path):
    make_incident(description="<script>alert(1)</script>\"'><img src=x onerror=alert(1)>")
    page = site.get(path).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&gt;&lt;img" in page
    assert "<script>alert" not in page and "<img" not in page


@pytest.mark.slow
def test_each_number_leads_to_as_many_incidents(site):
    now = timezone.now()
    for number, status in enumerate(Status.values):
        for _ in range(number + 1):
            make_incident(status=status, source="partner", created_at=now - timedelta(days=number * 4))
    again = make_incident(source="operator")
    for status in ("resolved", "open", "resolved"):
        again = change_incident(again, values={"status": status}, actor=Named("a"), channel="api")
    page = site.get(BOARD)
    numbers = [number for _, row in page.context["counts"] for number in row]
    numbers += [*page.context["unresolved"], *page.context["created"], *page.context["resolved"]]
    numbers += [number for bar in page.context["chart"].bars for number in (bar.created, bar.resolved)]
    assert [week.n for week in page.context["created"]] == [4, 7]
    assert [week.n for week in page.context["resolved"]] == [1, 7]
    assert len(numbers) == 4 * 4 + 2 + 2 + 2 + 2 * 30
    for number in numbers:
        assert links(page, number.n)
        assert site.get(number.url).context["cl"].result_count == number.n, number


def test_the_chart_has_a_table(site):
    make_incident(status="resolved")
    page = site.get(BOARD).content.decode()
    assert page.count('<rect class="created"') == page.count('<rect class="resolved"') == 30
    rows = re.findall(
        r'<th scope="row">([^<]*)</th>\s*<td><a[^>]*>(\d+)</a></td>\s*<td><a[^>]*>(\d+)</a></td>',
        page.split('id="board-table"')[1],
    )
    assert [row[1:] for row in rows] == [("1", "1")] + [("0", "0")] * 29


@pytest.mark.parametrize(
    ("most", "numbers"),
    [
        (1, [0, 1]),
        (3, [0, 1, 2, 3]),
        (4, [0, 2, 4]),
        (7, [0, 5, 10]),
        (15, [0, 5, 10, 15]),
        (16, [0, 10, 20]),
        (1_234, [0, 500, 1_000, 1_500]),
    ],
)
def test_the_scale_of_the_chart_has_round_numbers(most, numbers):
    first = date(2024, 2, 1)
    created = {first + timedelta(days=number): 0 for number in range(30)}
    chart = board._chart(created, created | {first: most})
    assert [n for n, _y in chart.ticks] == numbers
    heights = dict(chart.ticks)
    assert (heights[0], heights[numbers[-1]]) == (96, 0)
    assert chart.bars[0].resolved_height == round(96 * most / numbers[-1]) and chart.bars[0].created_height == 0


def test_the_chart_names_its_mondays(site):
    make_incident()
    page = site.get(BOARD).content.decode()
    svg = page.split('<svg class="board-chart"')[1].partition("</svg>")[0]
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=ago) for ago in range(29, -1, -1)]
    named = re.findall(r'class="date">(\d+) [а-я]{3}<', svg)
    assert named == [str(day.day) for day in days if day.weekday() == 0]
    assert re.findall(r'class="number">(\d+)<', svg) == ["0", "1"]


def test_windows_share_what_they_show_for_a_while(site, django_assert_num_queries):
    make_incident()
    pages = [site.get(BOARD + "board/")]
    with django_assert_num_queries(4):  # the session, the user and the permissions
        pages.append(site.get(BOARD + "board/"))
    tokens = [re.findall(r'name="csrfmiddlewaretoken" value="([^"]*)"', page.content.decode()) for page in pages]
    assert [len(token) for (token,) in tokens] == [64, 64] and tokens[0] != tokens[1]
    shared = [page.content.decode().replace(token, "") for page, (token,) in zip(pages, tokens, strict=True)]
    assert shared[0] == shared[1]


def test_windows_share_nothing_that_differs(site):
    make_incident(description="Точка не отвечает")
    first = site.get(BOARD + "board/").content.decode()
    assert "/status/" in first and "Описание" not in first and "chats" not in first
    viewer = browser("view_incident", language="en", time_zone="Asia/Omsk")
    page = viewer.get(BOARD + "board/").content.decode()
    assert "30 days" in page and "/status/" not in page and "+06" in page and "board-faults" not in page
    viewer.logout()
    assert viewer.get(BOARD + "board/").status_code == 302


def test_a_permission_that_is_withdrawn_is_withdrawn_at_once():
    make_incident(description="Точка не отвечает")
    client = browser("view_incident")
    assert "Точка" in client.get(BOARD + "board/").content.decode()
    User.objects.get(username="staff").user_permissions.clear()
    page = client.get(BOARD + "board/").content.decode()
    assert "Точка" not in page and "<table" not in page


def test_what_a_press_changed_is_shown_at_once(site):
    incident = make_incident()
    site.get(BOARD + "board/")
    form = {"status": "resolved", "shown": "open", "next": BOARD}
    page = site.post(f"/api/admin/incidents/incident/{incident.pk}/status/", form, follow=True).content.decode()
    assert "Открытых инцидентов нет." in page


def test_no_window_goes_back():
    script = Path(finders.find("desk/board.js")).read_text()
    (period,) = re.findall(r"PERIOD = ([\d_]+)", script)
    assert int(period) > board.SHARED_SECONDS * 1_000


def test_pages_share_the_numbers_of_the_last_days_until_something_changes(site, monkeypatch):
    read = Mock(wraps=reports.last_weeks)
    monkeypatch.setattr(reports, "last_weeks", read)
    monkeypatch.setattr(board, "SHARED_SECONDS", 1_000)
    incident = make_incident()

    def shown():
        page = site.get(BOARD)
        return [page.context["resolved"][0].n, page.context["chart"].bars[-1].resolved.n]

    assert [shown(), shown(), read.call_count] == [[0, 0], [0, 0], 1]
    for status, resolved in (("resolved", 1), ("open", 0)):
        incident = change_incident(incident, values={"status": status}, actor=Named("a"), channel="api")
        assert shown() == [resolved, resolved]
    other = make_incident()
    shown()
    Incident.objects.filter(pk=other.pk).update(status="closed")  # an entry that is committed late has a smaller id
    shown()
    assert read.call_count == 5


@pytest.mark.parametrize("rows", [1, 50])
def test_queries(site, rows, django_assert_num_queries):
    for _ in range(rows):
        make_incident()
        make_incident(status="in_progress")
    with django_assert_num_queries(21):
        site.get(BOARD)


@pytest.fixture
def failures():
    chat = Chat.objects.create(bot_id=1, telegram_id=-1, type="group", pause_reason="Forbidden: bot was kicked")
    for _ in range(2):
        Card.objects.create(incident=make_incident(), chat=chat, state="failed")
    Delivery.objects.bulk_create(
        Delivery(channel="webhook", external_id=str(number), body=b"", state="faulty") for number in range(1_001)
    )


def test_what_failed(failures):
    chief = Client()
    chief.force_login(User.objects.create_superuser("chief"))
    faults = chief.get(BOARD).context["faults"]
    assert [(number.n, number.more) for number in faults] == [
        (1_000, True),
        (1, False),
        (2, False),
    ]
    for number in faults:
        assert min(chief.get(number.url).context["cl"].result_count, 1_000) == number.n


def test_failures_need_the_permission_to_view_them(failures):
    page = browser("view_delivery").get(BOARD)
    assert [number.n for number in page.context["faults"]] == [1_000]
    assert "1000+" in page.content.decode()
