"""The Russian catalog is complete; errors are in the client's language."""

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.contrib import admin, auth
from django.utils import translation
from django.utils.translation.template import templatize

from tests.helpers.api import errors

CATALOG = Path("locale/ru/LC_MESSAGES/django.po")
OURS = [Path(app) for app in ("config", "core", "desk", "identity", "incidents", "intake", "telegram", "webhooks")]
PAGES_OF_DJANGO = [Path(package.__path__[0]) for package in (admin, auth)]
LAZY = {f"{name}_lazy" for name in ("gettext", "ngettext", "pgettext")} | {"gettext_noop"}
EAGER = {"gettext", "ngettext", "pgettext"}
CALL = re.compile(r"""\b[np]?gettext\((?:[^()"']|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')*\)""")
SAME_IN_RUSSIAN = {"API", "Alertmanager", "Alertmanager, Grafana", "Telegram"}


def names_of(tree):
    """What the functions of gettext are called in a module."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    names = {alias.asname or alias.name: alias.name for one in imports for alias in one.names}
    return {called: name for called, name in names.items() if name in LAZY | EAGER}


def calls(nodes, names):
    """The function's name and the literal texts of each call of gettext."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            if texts:
                yield names[node.func.id], texts


def run_at_import(node):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.Lambda):
            for decorator in getattr(child, "decorator_list", []):
                yield from ast.walk(decorator)
        else:
            yield child
            yield from run_at_import(child)


def messages(directories):
    for directory in directories:
        for file in directory.rglob("*.py"):
            tree = ast.parse(file.read_text("utf-8"))
            yield from calls(ast.walk(tree), names_of(tree))
        for file in directory.rglob("templates/**/*.html"):
            for call in CALL.findall(templatize(file.read_text("utf-8"))):
                yield from calls(ast.walk(ast.parse(call)), {name: name for name in EAGER})


def in_russian(name, texts):
    if name.startswith("n"):
        return " ".join(translation.ngettext(*texts[:2], number) for number in (1, 2, 5))
    return translation.pgettext(*texts[:2]) if name.startswith("p") else translation.gettext(texts[0])


def words(text):
    return re.findall("[A-Za-z]{2,}", re.sub(r"%\(\w+\)[sd]|%[sd]|\{\w*\}", "", text))


@pytest.mark.parametrize("directories", [OURS, PAGES_OF_DJANGO], ids=["ours", "django"])
def test_every_message_is_translated(directories):
    found = [(name, texts) for name, texts in messages(directories) if texts[0] not in SAME_IN_RUSSIAN]
    assert len(found) > 200
    with translation.override("ru"):
        english = [
            texts for name, texts in found if words(text := in_russian(name, texts)) and not re.search("[а-я]", text)
        ]
    assert english == []


def test_nothing_is_translated_at_import():
    """The language of the request is not known yet: such a text would stay in English."""
    for file in (file for directory in OURS for file in directory.rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        eager = {called: name for called, name in names_of(tree).items() if name in EAGER}
        assert [*calls(run_at_import(tree), eager)] == [], file


def test_every_entry_of_the_catalog_is_complete():
    header, *entries = CATALOG.read_text("utf-8").strip().split("\n\n")
    assert len(entries) > 300 and "nplurals=4" in header
    for entry in entries:
        assert "fuzzy" not in entry and "#~" not in entry and 'msgstr ""' not in entry, entry
        assert len(re.findall(r'^msgstr\[[0-3]\] ".+"$', entry, re.M)) == (4 if "msgid_plural" in entry else 0), entry
    ids = re.findall(r'^((?:msgctxt .+\n)?msgid ".+")$', CATALOG.read_text("utf-8"), re.M)
    assert len(ids) == len(set(ids))


def test_compiled_catalog_matches_its_source():
    found = re.findall(r'\n\n(?:#.*\n)*msgid (".+")\nmsgstr (".+")$', CATALOG.read_text("utf-8"), re.M)
    pairs = [tuple(map(ast.literal_eval, pair)) for pair in found]
    with CATALOG.with_suffix(".mo").open("rb") as compiled:
        catalog = gettext.GNUTranslations(compiled)
    assert len(pairs) > 50
    assert {source: catalog.gettext(source) for source, _ in pairs} == dict(pairs)


@pytest.mark.both_databases
def test_details_are_english_unless_russian_is_requested(api):
    def detail(language, path, **kwargs):
        response = api.get(path, headers={"accept-language": language}, **kwargs)
        assert errors(response)
        return response.json()["errors"][0]["detail"]

    for language in ("", "en", "de", "de, ru;q=0.5"):
        assert detail(language, "/api/v1/incidents/1/") == "Not found." or "ru" in language
    assert detail("ru", "/api/v1/incidents/1/") == "Страница не найдена."
    assert detail("ru-RU,ru;q=0.9", "/api/v1/incidents/?page_size=0") == "Укажите целое число от 1 до 1000."
    assert "минимум" not in detail("en", "/api/v1/incidents/?search=a")
