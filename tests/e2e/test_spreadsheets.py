"""The exported files in spreadsheets that operators have: LibreOffice and Gnumeric."""

import csv
import random
import subprocess

import pytest
from django.core.management import call_command
from django.test import Client

from identity.models import User
from incidents.models import Incident
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.e2e, pytest.mark.django_db]

TEXTS = (
    "Точка 5; терминал, оплата\tне работает",
    'Сказал "да"; потом "нет", потом\n\n"не знаю"',
    "насос;=1+2;течёт",
    "раз\n- два\n- три; четыре",
    "'; '' \"\" ;,\t",
)
# Of LibreOffice's CSV filter: separators tab, comma and semicolon, ticked in its window by default; quotation mark;
# UTF-8; first line. https://help.libreoffice.org/latest/en-US/text/shared/guide/csv_params.html
OPEN = "Text - txt - csv (StarCalc):9/44/59,34,UTF-8,1"
SAVE = "csv:Text - txt - csv (StarCalc):44,34,UTF-8,1"


@pytest.fixture
def incidents():
    random.seed(1)
    call_command("load_sample", count=500)
    for text in TEXTS * 10:
        make_incident(description=text)
    return dict(Incident.objects.values_list("pk", "description"))


def export(folder, form, language):
    client = Client(headers={"accept-language": language})
    client.force_login(User.objects.create_superuser("root"))
    response = client.get(f"/api/admin/incidents/incident/export/{form}/")
    file = folder / f"incidents.{form}"
    file.write_bytes(b"".join(response.streaming_content))
    return file


def read(file):
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.reader(lines))


def assert_whole(rows, incidents):
    """Each incident is a row of nine cells, none of which was calculated."""
    _header, *rows = rows
    assert {len(row) for row in rows} == {9}
    found = {int(row[0]): row[3].replace("'", "") for row in rows}
    assert found == {pk: text.replace("'", "") for pk, text in incidents.items()}


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_libreoffice_opens_it_whole(tmp_path, incidents, form, language):
    file = export(tmp_path, form, language)
    command = ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless"]
    command += [f"--infilter={OPEN}"] if form == "csv" else []
    (tmp_path / "out").mkdir()
    subprocess.run([*command, "--convert-to", SAVE, "--outdir", tmp_path / "out", file], check=True, timeout=300)
    assert_whole(read(tmp_path / "out/incidents.csv"), incidents)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_gnumeric_opens_it_whole(tmp_path, incidents, form):
    file = export(tmp_path, form, "en")
    subprocess.run(["ssconvert", file, tmp_path / "out.csv"], check=True, timeout=300)
    assert_whole(read(tmp_path / "out.csv"), incidents)
