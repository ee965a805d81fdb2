"""The list of incidents in the admin: its rows, filters and search."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from identity.models import User
from incidents.actors import Named
from incidents.models import Incident
from incidents.services import add_comment, change_incident
from tests.helpers.admin import form_of, told
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/admin/incidents/incident/"


def found(site, query):
    """The descriptions in the list, oldest first."""
    page = site.get(f"{URL}?{query}")
    assert page.status_code == 200
    return [incident.description for incident in reversed(page.context["cl"].result_list)]


def test_a_row_in_russian(site):
    incident = make_incident(description="Очень длинное описание " * 20, source="partner")
    change_incident(incident, values={"status": "in_progress"}, actor=Named("sidorov"), channel="api")
    page = site.get(URL).content.decode()
    for text in (f"№{incident.pk}", "В работе</span>", "Партнёр", "только что</time>", "sidorov", "Новый инцидент"):
        assert text in page
    assert "…" in page and "Очень длинное описание " * 20 not in page


def test_hostile_texts_are_inert(site):
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7|add:7 }}"
    incident = make_incident(description=hostile, actor=Named("<b>x"))
    change_incident(incident, values={"status": "in_progress"}, actor=Named("<i>y"), channel="telegram")
    page = site.get(f"{URL}?q=<script>alert(1)</script>&created_from=").content.decode()
    asked = site.post(URL, {"action": "close", "_selected_action": [incident.pk], "index": 0}).content.decode()
    for text in (page, asked):
        assert "<script>alert" not in text and "<img" not in text and "<i>y" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


@pytest.mark.parametrize("count", [1, 50])
def test_the_list_takes_as_many_queries_for_fifty_rows_as_for_one(site, count, django_assert_num_queries):
    incidents = [make_incident() for _ in range(count)]
    change_incident(incidents[0], values={"status": "in_progress"}, actor=Named("b"), channel="api")
    # The session, the user, its permissions (2), how many, the page, the names of who took them and of all people,
    # mine, the newest incidents and entries
    for query in ("", "status__in=open,in_progress&source__in=operator&created=today&channel=api&q=самокат+не"):
        with django_assert_num_queries(14):
            site.get(f"{URL}?{query}")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["open", "in_progress", "resolved", "closed"]),
        ("status__in=open,in_progress", ["open", "in_progress"]),
        ("status__in=closed", ["closed"]),
        ("status__exact=closed", ["closed"]),
        ("status__in=bogus", []),
        ("source__in=partner,monitoring", ["closed"]),
        ("status__in=open&source__in=partner", []),
    ],
)
def test_several_choices_at_once(site, query, expected):
    for status in ("open", "in_progress", "resolved"):
        make_incident(description=status, status=status)
    make_incident(description="closed", status="closed", source="partner")
    assert found(site, query) == expected


def test_each_status_adds_or_removes_itself(site):
    changelist = site.get(f"{URL}?status__in=open&q=a&p=1").context["cl"]
    statuses = changelist.filter_specs[0].choices(changelist)
    links = {choice["display"]: choice["query_string"] for choice in statuses}
    assert links["В работе"] == "?q=a&status__in=open%2Cin_progress"
    assert links["Открыт"] == links["Все"] == "?q=a"
    assert links["Открыт и в работе"] == "?q=a&status__in=open%2Cin_progress"


@pytest.fixture
def days(monkeypatch):
    """An incident of each of several days before 15 January 2024, 01:00 in Moscow, which is the day before in UTC."""
    now = datetime(2024, 1, 14, 22, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    for ago in (0, 1, 6, 7, 29, 30):
        make_incident(description=str(ago), created_at=now - timedelta(days=ago))
    return now


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("created=today", ["0"]),
        ("created=yesterday", ["1"]),
        ("created=7d", ["6", "1", "0"]),
        ("created=30d", ["29", "7", "6", "1", "0"]),
        ("created_from=2024-01-08&created_to=2024-01-09", ["7", "6"]),
        ("created_from=2024-01-14", ["1", "0"]),
        ("created_to=2023-12-16", ["30"]),
        ("created_from=&created_to=", ["30", "29", "7", "6", "1", "0"]),
    ],
)
def test_days_of_creation_are_those_of_the_time_zone(site, days, settings, query, expected):
    settings.TIME_ZONE = "UTC"
    with timezone.override(ZoneInfo("Europe/Moscow")):
        assert found(site, query) == expected


def test_a_period_of_the_board_is_shown_and_cleared(site):
    period = "created_at__gte=2024-01-15T10:30:00%2B00:00&created_at__lt=2024-01-22T00:00:00%2B00:00"
    page = site.get(f"{URL}?{period}").content.decode()
    assert "<b>15.01.2024 13:30 – 22.01.2024 03:00</b>" in page and 'href="?">Сбросить</a>' in page


@pytest.mark.parametrize(
    ("query", "expected"), [("1h", ["30", "7", "1", "0"]), ("4h", ["30", "7"]), ("1d", ["30"]), ("1w", [])]
)
def test_open_longer_than(site, query, expected):
    now = timezone.now()
    for hours in (30, 7):
        make_incident(description=str(hours), created_at=now - timedelta(hours=hours))
    make_incident(description="1", created_at=now - timedelta(hours=2), status="in_progress")
    make_incident(description="0", created_at=now - timedelta(minutes=61))
    make_incident(description="new", created_at=now - timedelta(minutes=59))
    make_incident(description="closed", created_at=now - timedelta(days=9), status="closed")
    assert found(site, f"open_for={query}") == expected


def test_the_channel_is_that_of_the_creation(site):
    by_api, by_telegram = make_incident(description="api"), make_incident(description="telegram", channel="telegram")
    change_incident(by_api, values={"status": "closed"}, actor=Named("b"), channel="telegram")
    add_comment(incident_id=by_api.pk, text="x", actor=Named("b"), channel="telegram")
    change_incident(by_telegram, values={"status": "closed"}, actor=Named("b"), channel="api")
    assert found(site, "channel=telegram") == ["telegram"]
    assert found(site, "channel=api") == ["api"]
    assert found(site, "channel=bogus") == []


@pytest.mark.parametrize(
    "query",
    [
        "created=bogus",
        "created_from=2024-13-01",
        "created_to=x",
        "created_to=9999-12-31",
        "created_at__gte=x",
        "created_at__gte=0001-01-01T00:00:00%2B00:00&created_at__lt=9999-12-31T23:59:59%2B00:00",
        "resolved_from=x&resolved_to=y",
        "resolved_from=2024-01-15T10:30:00%2B00:00",
        "resolved_from=0001-01-01T00:00:00%2B00:00&resolved_to=9999-12-31T23:59:59%2B00:00",
        "open_for=2h",
        "created_from=\0",
        "bogus=1",
    ],
)
def test_a_filter_that_is_none_leads_to_the_list(site, query):
    assert site.get(URL + "?" + query.replace("\0", "%00")).url == f"{URL}?e=1"


@pytest.mark.parametrize("term", ["{}", "№{}", "%23{}", "№ {}", " {} ", "000{}"])
def test_a_number_opens_the_incident(site, term):
    incident = make_incident()
    response = site.get(f"{URL}?q={term.format(incident.pk)}&status__in=closed")
    assert response.url == f"{URL}{incident.pk}/change/"


def test_a_bare_number_can_be_searched_for_in_the_descriptions(site):
    Incident.objects.bulk_create([Incident(pk=875643, description="x", source="operator")])
    incident = Incident.objects.get()
    make_incident(description=f"Самокат {incident.pk}")
    assert told(site.get(f"{URL}?q={incident.pk}")) == [
        f"Это инцидент №{incident.pk}. Искать {incident.pk} в описаниях"
    ]
    assert found(site, f"q=%22{incident.pk}%22") == [f"Самокат {incident.pk}"]


@pytest.mark.parametrize("path", ["", "incidents/incident/", "incidents/incident/add/", "identity/user/"])
def test_one_search_of_incidents_stands_on_every_page(admin_client, path):
    page = admin_client.get(f"/api/admin/{path}").text
    header, _end, main = page.partition("</header>")
    assert header.count('type="search"') == 1 and f'role="search" action="{URL}"' in header
    assert 'type="search"' not in main
    assert form_of(admin_client.get(f"/api/admin/{path}"), "desk-search") == {"q": ""}


def test_the_search_keeps_the_filters_of_the_list(site):
    page = site.get(f"{URL}?q=самокат&status__in=open,in_progress&created=7d&o=5&p=1")
    assert form_of(page, "desk-search") == {
        "q": "самокат",
        "status__in": "open,in_progress",
        "created": "7d",
        "o": "5",
    }


def test_the_search_takes_no_filters_of_another_list(admin_client):
    page = admin_client.get("/api/admin/identity/user/?q=anna&is_staff__exact=1")
    assert form_of(page, "desk-search") == {"q": ""}


@pytest.mark.parametrize("number", ["875643", "9223372036854775807", "9223372036854775808", "1" * 40, "000", "٣٣٣"])
def test_a_number_of_no_incident_is_searched_for(site, number):
    make_incident(description=f"Самокат {number}")
    make_incident()
    assert found(site, f"q={number}") == [f"Самокат {number}"]
    assert found(site, f"q=№{number}") in ([f"Самокат {number}"], [])


def test_a_number_tells_nothing_without_the_permission_to_view():
    client = Client()
    client.force_login(User.objects.create_user("newcomer", is_staff=True))
    assert client.get(URL, {"q": make_incident().pk}).status_code == 403


def test_a_number_that_is_nowhere(site):
    make_incident()
    assert "Нет инцидента с таким номером." in site.get(f"{URL}?q=№2985").content.decode()
    assert "Ничего не найдено." in site.get(f"{URL}?q=велосипед").content.decode()


@pytest.mark.parametrize(
    "text",
    [
        "самокат сети",
        "СЕТИ самокат",
        "в САМ 5",
        "  сети\t ",
        "не+в+сети",
        "%22не в сети%22",
        "5%25+сети",
        "сети №7",
        "сети " + "а " * 500,
    ],
)
def test_words_in_any_order(site, text):
    make_incident(description="Самокат не в сети: 5% №7, " + "а " * 500)
    make_incident(description="Другое")
    assert found(site, f"q={text}") == ["Самокат не в сети: 5% №7, " + "а " * 500]


@pytest.mark.parametrize("text", ["не", "не+в", "5%25", "%22№ 42%22", "---", "№№№ ...", "а-б", "___", "а " * 500])
def test_words_that_no_index_finds_are_not_searched_for_alone(site, text):
    make_incident(description="не в №7 42 5% а-б --- ___ " + "а " * 500)
    page = site.get(f"{URL}?q={text}")
    assert page.context["cl"].result_list == []
    assert "Ищите хотя бы три буквы или цифры подряд" in page.content.decode()


@pytest.mark.parametrize("text", ["поперек", "ПОПЕРЁК", "поперёк", "попере\u0308к", "%22лежит поперек%22"])
def test_ye_finds_yo(site, text):
    for description in ("лежит поперёк", "Лежит ПОПЕРЕК", "лежит попере\u0308к"):
        make_incident(description=description)
    assert found(site, f"q={text}") == ["лежит поперёк", "Лежит ПОПЕРЕК", "лежит попере\u0308к"]


@pytest.mark.parametrize("text", ["самокат велосипед", "%22сети в%22", "с_ти", "5%25%25"])
def test_every_word_must_occur(site, text):
    make_incident(description="Самокат не в сети: 5%")
    assert found(site, f"q={text}") == []


def test_the_newest_come_first_unless_asked_otherwise(site):
    for ago in (2, 1, 3):
        make_incident(description=str(ago), created_at=timezone.now() - timedelta(days=ago))
    assert found(site, "") == ["3", "2", "1"]
    assert found(site, "o=5") == ["1", "2", "3"]
