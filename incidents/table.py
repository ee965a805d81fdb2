"""Incidents as a table: what is in each cell of an exported list, and how a CSV file has it."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from io import StringIO
from typing import Any

from django.db.models import QuerySet

from incidents.models import Incident

# A spreadsheet takes a cell that begins so for a formula, and begins a cell also at the separators that it was told of,
# whichever the file has: https://owasp.org/www-community/attacks/CSV_Injection
# White space is written out, since \s of PostgreSQL differs.
_BLANK = r' "\u000b\u000c\u001c-\u001f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000'
_SIGN = "[=+@＝＋－＠-]"
FORMULA = rf"(^[{_BLANK}\t\r\n]*|[,;\t\r\n][{_BLANK}\t\r\n]*)(?={_SIGN})|^(?=[\t\r\n])"  # for PostgreSQL
# The same for Python, which would try FORMULA at each line break in a row of them: it reads a row only from its start.
_ROW = rf"[{_BLANK}\t\r\n,;]"
_formula = re.compile(
    rf"^[{_BLANK}\t\r\n]*(?={_SIGN})|^(?=[\t\r\n])|(?={_ROW})(?<!{_ROW})[{_BLANK}]*[,;\t\r\n]{_ROW}*(?={_SIGN})"
)


@dataclass(frozen=True)
class Texts:
    """What the cells depend on beside the rows."""

    labels: Mapping[str, str]  # of statuses and sources
    names: Mapping[str, str]  # full names of users, by username
    zone: tzinfo


def select(incidents: QuerySet[Incident]) -> QuerySet[Incident, tuple[Any, ...]]:
    """Chooses the columns that `cells` takes."""
    return incidents.values_list("pk", "status", "source", "description", "created_at", "updated_at", "taken_by")


def cells(rows: Iterable[tuple[Any, ...]], texts: Texts) -> Iterator[list[Any]]:
    """Yields for each row numbers, strings, and naive timestamps in seconds: in the zone, at the end in UTC."""
    labels, names, zone = texts.labels, texts.names, texts.zone

    def naive(at: datetime, zone: tzinfo) -> datetime:
        return at.astimezone(zone).replace(microsecond=0, tzinfo=None)

    for pk, status, source, text, created, updated, taker in rows:
        yield [
            pk,
            labels[status],
            labels[source],
            text,
            naive(created, zone),
            naive(updated, zone),
            names.get(taker, taker),
            naive(created, UTC),
            naive(updated, UTC),
        ]


def csv_lines(rows: QuerySet[Incident, Any], texts: Texts, separator: str) -> tuple[bytes, int]:
    """
    Returns rows of `select` by descending ids as lines of CSV, and the last id, 0 if there are none.

    All cells are in quotation marks, and a spreadsheet takes none of them for a formula.
    """
    found = list(rows)
    lines = StringIO()
    # Unquoted, a text would be torn by a spreadsheet that splits at commas, semicolons and tabs alike.
    writer = csv.writer(lines, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerows(map(without_formula, row) for row in cells(found, texts))
    return lines.getvalue().encode(), found[-1][0] if found else 0


def without_formula(value: Any) -> Any:
    """Marks what a spreadsheet would take for a formula in a string; returns other values as they are."""
    return _formula.sub(r"\g<0>'", value) if isinstance(value, str) else value
