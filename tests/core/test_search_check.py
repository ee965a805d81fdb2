"""`migrate` says when the database cannot search Cyrillic, before its first migration and later."""

import os
import subprocess
import sys

import pytest

from tests.helpers.database import database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def told(name, *arguments):
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=os.environ | {"POSTGRES_DB": name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'", "core.W008"),
        ("ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C'", "core.W007"),
        ("ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'", "core.W006"),
        ("ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'", None),
        ("ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C.UTF-8'", None),
    ],
)
def test_locale_that_does_not_know_cyrillic(options, said):
    with database("searched", f"TEMPLATE template0 {options}"):
        output = told("searched", "migrate", "--plan")
    assert ("createdb --template=template0" in output) == bool(said)
    assert (said or "Planned operations") in output
