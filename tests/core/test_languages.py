import gettext
import re
from pathlib import Path

import pytest

from tests.conftest import errors

CATALOG = Path("locale/ru/LC_MESSAGES/django.po")


def test_compiled_catalog_matches_its_source():
    pairs = re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', CATALOG.read_text(), re.M)
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
