"""The http and https addresses in descriptions and comments can be pressed, and nothing else becomes a link."""

import re

import pytest
from django.utils.html import strip_tags

from desk.templatetags.desk import linked
from incidents.actors import Named
from incidents.services import add_comment, change_incident
from tests.helpers.admin import INCIDENTS
from tests.helpers.incidents import make_incident

MAP = "https://yandex.ru/maps/213/moscow/?ll=37.622504%2C55.753215&z=10&text=" + "x" * 900


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("нет ссылок", []),
        ("http://a.example", ["http://a.example"]),
        ("HTTPS://A.example/Б?в=г#д", ["HTTPS://A.example/Б?в=г#д"]),
        ("см. https://a.example/x.", ["https://a.example/x"]),
        ("«https://a.example/x»,", ["https://a.example/x"]),
        ('"https://a.example/x"', ["https://a.example/x"]),
        ("„https://a.example/x“…", ["https://a.example/x"]),
        ("(https://a.example/x)", ["https://a.example/x"]),
        ("(см. https://a.example/x).", ["https://a.example/x"]),
        ("https://ru.wikipedia.org/wiki/Насос_(машина)", ["https://ru.wikipedia.org/wiki/Насос_(машина)"]),
        ("(https://ru.wikipedia.org/wiki/Насос_(машина)).", ["https://ru.wikipedia.org/wiki/Насос_(машина)"]),
        ("[карта](https://a.example/x)", ["https://a.example/x"]),
        ("<https://a.example/x>", ["https://a.example/x"]),
        ("https://a.example/x?!", ["https://a.example/x"]),
        ("https://a.example/x; https://b.example/", ["https://a.example/x", "https://b.example/"]),
        ("https://a.example/x\nhttps://b.example", ["https://a.example/x", "https://b.example"]),
        ("https://a.example:8443/?a=1&b=2", ["https://a.example:8443/?a=1&b=2"]),
        ("https://[::1]:8000/x", ["https://[::1]:8000/x"]),
        ("https://a.example/\u202egnp.exe", ["https://a.example/"]),
        ("https://", []),
        ("https://.", []),
        ("http://)", []),
        ("javascript:alert(1) data:text/html,x ftp://a.example mailto:a@a.example www.a.example a.example", []),
        ("xhttps://a.example", []),
        ('https://a.example/"onmouseover="alert(1)', ["https://a.example/"]),
        ("https://a.example/'onmouseover='alert(1)", ["https://a.example/'onmouseover='alert(1)"]),
        (MAP, [MAP]),
    ],
)
def test_what_becomes_a_link(text, found):
    page = linked(text)
    assert re.findall(r"<(?!a |/a>)", page) == []
    assert [strip_tags(link) for link in re.findall(r"<a .*?</a>", page)] == [strip_tags(linked(url)) for url in found]
    assert page.count('target="_blank" rel="noopener"') == len(found)


def test_the_rest_is_escaped():
    assert linked("<b> https://a.example/?a&b <script>") == (
        '&lt;b&gt; <a href="https://a.example/?a&amp;b" target="_blank" rel="noopener">https://a.example/?a&amp;b</a>'
        " &lt;script&gt;"
    )


def test_long_texts_are_quick():
    for text in ("https://" * 2_500, "https://a.example/" + ")." * 9_000, "(" * 20_000):
        assert linked(text)


@pytest.mark.django_db
@pytest.mark.both_databases
def test_pages_of_an_incident_have_them(site, viewer):
    incident = make_incident(description=f"Карта: {MAP}")
    change_incident(incident, values={"description": "https://b.example/new"}, actor=Named("a"), channel="api")
    add_comment(incident_id=incident.pk, text="(https://c.example/)", actor=Named("a"), channel="api")
    for client in (site, viewer):
        for page in ("change", "history"):
            shown = client.get(f"{INCIDENTS}{incident.pk}/{page}/").content.decode()
            for url in ("https://b.example/new", "https://c.example/", MAP.replace("&", "&amp;")):
                assert f'<a href="{url}" target="_blank" rel="noopener">' in shown, (page, url)
