import pytest

from tests.helpers.options import database_option


@pytest.mark.parametrize(
    ("arguments", "database"),
    [
        ([], "postgres"),
        (["--database=sqlite"], "sqlite"),
        (["-x", "--database", "sqlite", "tests"], "sqlite"),
        (["--database=sqlite", "--database=postgres"], "postgres"),
        (["-k", "sqlite"], "postgres"),
        (["tests/core/test_sqlite.py", "-ksqlite", "sqlite"], "postgres"),
    ],
)
def test_the_database_is_what_the_option_says(arguments, database):
    assert database_option(arguments) == database
