"""The admin speaks the language that a user has chosen, else the browser's; the API that of Accept-Language."""

import pytest
from django.test import Client
from django.utils import translation

from identity.models import User
from tests.helpers.admin import told
from tests.helpers.api import api_for
from tests.helpers.identity import USER_ADMIN, admin_for
from tests.helpers.incidents import URL

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SETTINGS = USER_ADMIN + "settings/"
RUSSIAN, ENGLISH = ("Мои настройки", "ru"), ("My settings", "en")


def heading(client):
    page = client.get(SETTINGS)
    words = page.content.decode().partition("<h1>")[2].partition("</h1>")[0]
    assert f'<html lang="{page["Content-Language"]}"' in page.content.decode()
    return words, page["Content-Language"]


def browser(language, chosen="", name="operator"):
    user = User.objects.create_user(name, language=chosen)
    return admin_for(user, headers={"accept-language": language})


@pytest.mark.parametrize(
    ("accepted", "chosen", "shown"),
    [
        ("en", "ru", RUSSIAN),
        ("ru", "en", ENGLISH),
        ("ru", "", RUSSIAN),
        ("en", "", ENGLISH),
        ("", "ru", RUSSIAN),
        ("de", "", ENGLISH),
    ],
)
def test_the_choice_decides_else_the_browser(accepted, chosen, shown):
    assert heading(browser(accepted, chosen)) == shown


def test_operators_choose_their_own():
    client, other = browser("en"), browser("en", name="other")
    assert client.post(SETTINGS, {"language": "ru", "time_zone": ""}).status_code == 302
    assert (heading(client), heading(other)) == (RUSSIAN, ENGLISH)
    client.post(SETTINGS, {"language": "", "time_zone": ""})
    assert heading(client) == ENGLISH


@pytest.mark.parametrize(
    ("before", "chosen", "text"),
    [
        ("", "ru", "Настройки сохранены."),
        ("ru", "en", "Your settings were saved."),
        ("ru", "", "Your settings were saved."),
    ],
)
def test_the_page_that_confirms_it_speaks_one_language(before, chosen, text):
    client = browser("en", before)
    assert told(client.post(SETTINGS, {"language": chosen, "time_zone": ""})) == [text]


@pytest.mark.parametrize("language", ["de", "RU", "a\0", "x" * 300])
def test_an_unknown_language_is_refused(language):
    client = browser("ru")
    assert "errorlist" in client.post(SETTINGS, {"language": language}).content.decode()
    assert User.objects.get().language == ""


@pytest.mark.parametrize("path", ["nothing/", "identity/user/", "jsi18n/"])
def test_pages_of_errors_and_scripts_speak_it_too(path):
    client = browser("en", "ru")
    page = client.get(f"/api/admin/{path}")
    assert page["Content-Language"] == "ru"


def test_it_does_not_leak_into_the_next_request_of_the_thread():
    client = browser("en", "ru")
    client.get("/api/admin/")
    assert translation.get_language() == "en"
    assert Client(headers={"accept-language": "en"}).get("/api/admin/login/")["Content-Language"] == "en"


def test_the_api_goes_by_accept_language():
    user = User.objects.create_user("operator", language="ru")
    response = api_for(user).post(URL, {"source": "operator"}, "application/json")
    assert (response["Content-Language"], response.json()["errors"][0]["detail"]) == ("en", "This field is required.")
    me = api_for(user).get("/api/identity/auth/users/me/").json()
    assert "language" not in me and "time_zone" not in me
