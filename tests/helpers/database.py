from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def database(name: str) -> Iterator[None]:
    """Creates an empty PostgreSQL database for the block."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
