"""The filtered list as a file: CSV or XLSX, streamed, safe to open in a spreadsheet."""

import csv
import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from python_calamine import CalamineWorkbook

from desk import export, xlsx
from incidents.actors import Named
from incidents.models import Incident
from incidents.services import change_incident
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/admin/incidents/incident/"
HEADERS = [
    "Номер",
    "Статус",
    "Источник",
    "Описание",
    "Создан (Europe/Moscow)",
    "Изменён (Europe/Moscow)",
    "Кто взял",
    "Создан, UTC",
    "Изменён, UTC",
]
AT = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
XML = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def table(site, form, query=""):
    """The cells of the file; in XLSX of all its sheets."""
    response = site.get(f"{URL}export/{form}/?{query}")
    assert response.streaming and f'.{form}"' in response["Content-Disposition"]
    content = b"".join(response.streaming_content)
    if form == "csv":
        assert content.startswith(b"\xef\xbb\xbf")
        return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
    rows = [row for name in workbook.sheet_names for row in workbook.get_sheet_by_name(name).to_python()]
    return [[str(int(cell)) if isinstance(cell, float) else cell for cell in row] for row in rows]


def test_csv_has_the_columns_of_the_list_in_russian_and_local_time(site):
    incident = make_incident(source="partner", created_at=AT)
    change_incident(incident, values={"status": "in_progress"}, actor=Named("sidorov"), channel="api")
    with timezone.override(ZoneInfo("Europe/Moscow")):
        header, row = table(site, "csv")
        updated = f"{timezone.localtime(incident.updated_at):%Y-%m-%d %H:%M:%S}"
    assert header == HEADERS
    assert row == [
        str(incident.pk),
        "В работе",
        "Партнёр",
        incident.description,
        "2024-01-15 13:30:00",
        updated,
        "sidorov",
        "2024-01-15 10:30:00",
        f"{incident.updated_at:%Y-%m-%d %H:%M:%S}",
    ]


@pytest.mark.parametrize(
    "query",
    [
        "status=resolved&source=operator",
        "created_at__gte=2000-01-01T00:00:00Z&created_at__lt=2100-01-01T00:00:00Z",
        "created=today",
        "resolved_from=2000-01-01T00:00:00Z&resolved_to=2100-01-01T00:00:00Z",
        "channel=api",
        "q=самокат",
        "q=самокат&status=resolved&channel=api&o=2",
    ],
)
def test_csv_has_what_the_filters_choose(site, query):
    found = make_incident(description="Самокат не в сети", source="operator")
    change_incident(found, values={"status": "resolved"}, actor=Named("sidorov"), channel="api")
    page = site.get(f"{URL}?{query}")
    listed = [str(incident.pk) for incident in page.context["cl"].result_list]
    assert listed == [str(found.pk)]
    assert [row[0] for row in table(site, "csv", query)[1:]] == listed


def test_xlsx_has_numbers_and_times_as_such(site):
    incident = make_incident(created_at=AT)
    Incident.objects.update(updated_at=AT)
    with timezone.override(ZoneInfo("Europe/Moscow")):
        header, row = table(site, "xlsx")
    assert header == HEADERS
    local, utc = datetime(2024, 1, 15, 13, 30), datetime(2024, 1, 15, 10, 30)
    assert row == [str(incident.pk), "Открыт", "Оператор", incident.description, local, local, "", utc, utc]


def test_csv_in_english_has_commas(site):
    make_incident()
    response = site.get(f"{URL}export/csv/", headers={"accept-language": "en"})
    header = b"".join(response.streaming_content).splitlines()[0].decode("utf-8-sig")
    assert header == (
        '"Number","Status","Source","Description","Created (Europe/Moscow)","Updated (Europe/Moscow)","Taken by",'
        '"Created, UTC","Updated, UTC"'
    )


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_hour_that_happens_twice_is_told_apart(site, settings, form):
    settings.TIME_ZONE_DISPLAY = "Europe/Berlin"
    for minutes in (0, 60):
        make_incident(created_at=datetime(2024, 10, 27, 0, 30, tzinfo=UTC) + timedelta(minutes=minutes))
    header, later, earlier = table(site, form)
    assert header[4] == "Создан (Europe/Berlin)"
    assert later[4] == earlier[4] and str(later[4]) == "2024-10-27 02:30:00"
    assert (str(later[7]), str(earlier[7])) == ("2024-10-27 01:30:00", "2024-10-27 00:30:00")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_filters_and_the_search_of_the_list_apply(site, form):
    for status in ("open", "closed"):
        make_incident(status=status), make_incident(status=status, description="Точка")
    assert [row[3] for row in table(site, form, "status__in=closed&q=самокат&o=5")[1:]] == ["Самокат не в сети"]
    assert [row[3] for row in table(site, form, "q=нет")] == ["Описание"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\n", " =", "\n\t@", "＝", '"=', '" @'])
def test_a_text_that_a_spreadsheet_takes_for_a_formula_is_none(site, start):
    incident = make_incident(description=f"{start}1+cmd|' /C calc'!A0", status="in_progress")
    change_incident(incident, values={"status": "open"}, actor=Named("b"), channel="api")
    change_incident(incident, values={"status": "in_progress"}, actor=Named("=1+1"), channel="telegram")
    row = table(site, "csv")[1]
    assert not is_formula(row[3]) and row[3].replace("'", "") == incident.description.replace("'", "")
    assert row[6] == "'=1+1"
    assert table(site, "xlsx")[1][3] == incident.description
    content = b"".join(site.get(f"{URL}export/xlsx/").streaming_content)
    assert b"<f>" not in zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml")


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize(
    "text",
    [
        "насос;=1+2;течёт",
        "насос,=1+2,течёт",
        "насос\t=1+2\tтечёт",
        "насос;=1,@2;+3,-4\n=5",
        'насос";"=1+2";"течёт',
        'насос"",=1+2',
        "; ;  =1",
        "раз\r=2",
    ],
)
def test_no_cell_is_a_formula_whatever_separators_the_file_is_opened_with(site, language, text):
    make_incident(description=text)
    response = site.get(f"{URL}export/csv/", headers={"accept-language": language})
    content = b"".join(response.streaming_content).decode("utf-8-sig")
    for separator in ",;\t":
        cells = [cell for row in csv.reader(io.StringIO(content, newline=""), delimiter=separator) for cell in row]
        assert [cell for cell in cells if is_formula(cell)] == []
    for cell in re.split(r'[,;\t\r\n"]', content):
        assert not is_formula(cell)


def is_formula(cell: str) -> bool:
    return cell.strip(' "\t\r\n').startswith(("=", "+", "-", "@", "＝"))


@pytest.mark.parametrize("text", ["- пункт", "a=b", "5;6,7", 'сказал "да"', "две\nстроки", "'"])
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_other_texts_stay_as_they_are(site, form, text):
    make_incident(description=f"Текст {text}")
    assert table(site, form)[1][3] == f"Текст {text}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x01\x0b\x1fb\ufffe\uffff", "ab"),
        ("<b>&amp;</b>]]>", "<b>&amp;</b>]]>"),
        ("_x0041_", "_x0041_"),
        ("😀" * 20_000, "😀" * 16_381 + " […]"),
        ("я" * 20_000, "я" * 20_000),
    ],
)
def test_xlsx_has_only_what_excel_reads(site, text, expected):
    make_incident(description=text)
    assert table(site, "xlsx")[1][3] == expected


@pytest.mark.parametrize("limit", [("MAX_ROWS", 3), ("MAX_BYTES", 3_000)])
def test_what_a_sheet_cannot_hold_goes_on_the_next_one(site, monkeypatch, limit):
    monkeypatch.setattr(xlsx, *limit)
    incidents = [make_incident() for _ in range(5)]
    rows = table(site, "xlsx")
    assert rows.count(HEADERS) == 3
    assert [row[0] for row in rows if row != HEADERS] == [str(incident.pk) for incident in reversed(incidents)]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_chunks_make_one_list(site, monkeypatch, form):
    monkeypatch.setattr(export, "CHUNK", 2)
    incidents = [make_incident() for _ in range(5)]
    response = site.get(f"{URL}export/{form}/")
    content = iter(response.streaming_content)
    next(content)
    make_incident(description="recorded while the file is read")
    list(content)
    assert [row[0] for row in table(site, form, "created=today")[2:]] == [
        str(incident.pk) for incident in reversed(incidents)
    ]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_list_of_every_length_takes_a_query_a_chunk(site, monkeypatch, django_assert_num_queries, form):
    monkeypatch.setattr(export, "CHUNK", 10)
    table(site, "csv")  # PostgreSQL is asked once whether it knows the time zone.
    for _ in range(25):
        make_incident()
    response = site.get(f"{URL}export/{form}/")
    with django_assert_num_queries(3 + 1):
        assert b"".join(response.streaming_content)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_search_that_can_find_nothing(site, form):
    make_incident()
    (header,) = table(site, form, "q=ab")  # too short
    assert header == HEADERS


def test_what_is_no_form_or_no_filter(site):
    assert site.get(f"{URL}export/pdf/").status_code == 404
    for query in ("created=bogus", "created_to=9999-12-31", "q=%00", "bogus=1"):
        response = site.get(f"{URL}export/csv/?{query}", follow=True)
        assert response.redirect_chain[-1] == (f"{URL}?e=1", 302)
    assert site.post(f"{URL}export/csv/").status_code == 405
