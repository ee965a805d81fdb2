"""A list of incidents as a CSV or XLSX file of any length, streamed in constant memory."""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from desk import xlsx
from incidents.history import names_of_takers
from incidents.models import Incident, Source, Status

CHUNK = 2_000
# A spreadsheet takes a cell that begins so for a formula, and begins a cell also at the separators that it was told of,
# whichever the file has: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = re.compile(r"""(^[\s"]*|[,;\t\r\n][\s"]*)(?=[=+\-@＝＋－＠])|^(?=[\t\r\n])""")
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def response(form: str, incidents: QuerySet[Incident]) -> StreamingHttpResponse:
    """Streams the file, the latest numbers first; `form` is of CONTENT_TYPES."""
    created, updated = capfirst(_("created")), capfirst(_("updated"))
    zone = timezone.get_current_timezone_name()
    columns = {
        capfirst(_("number")): 10,
        capfirst(_("status")): 12,
        capfirst(_("source")): 14,
        capfirst(_("description")): 80,
        f"{created} ({zone})": 20,
        f"{updated} ({zone})": 20,
        capfirst(_("taken by")): 20,
        # At the end of summer time an hour of local time happens twice.
        f"{created}, UTC": 20,
        f"{updated}, UTC": 20,
    }
    chunks = _chunks(incidents)
    # Excel expects the separator of the country.
    separator = ";" if get_language() == "ru" else ","
    stream = _csv(separator, columns, chunks) if form == "csv" else xlsx.write(_("Incidents"), columns, chunks)
    headers = {"Content-Disposition": f'attachment; filename="incidents-{timezone.localdate()}.{form}"'}
    return StreamingHttpResponse(stream, content_type=CONTENT_TYPES[form], headers=headers)


def _chunks(incidents: QuerySet[Incident]) -> Iterator[list[list[Any]]]:
    # What depends on the language and the time zone of the request, which are gone when the rows are read.
    labels = {value: str(label) for value, label in (*Status.choices, *Source.choices)}
    zone = timezone.get_current_timezone()

    def naive(at: datetime, zone: tzinfo) -> datetime:
        return at.astimezone(zone).replace(microsecond=0, tzinfo=None)

    def chunks() -> Iterator[list[list[Any]]]:
        # A query for each chunk: a cursor would need a transaction as long as the download.
        fields = ("pk", "status", "source", "description", "created_at", "updated_at")
        newest = incidents.order_by("-pk").values_list(*fields)
        chunk = list(newest[:CHUNK])
        while chunk:
            takers = names_of_takers(pk for pk, *_ in chunk)
            yield [
                [
                    pk,
                    labels[status],
                    labels[source],
                    text,
                    naive(created, zone),
                    naive(updated, zone),
                    takers.get(pk, ""),
                    naive(created, UTC),
                    naive(updated, UTC),
                ]
                for pk, status, source, text, created, updated in chunk
            ]
            chunk = list(newest.filter(pk__lt=chunk[-1][0])[:CHUNK])

    return chunks()


class _Lines:
    """A file for csv.writer, whose `write` gives the line."""

    def write(self, line: str) -> str:
        return line


def _csv(separator: str, columns: dict[str, int], chunks: Iterator[list[list[Any]]]) -> Iterator[str]:
    # Unquoted, a text would be torn by a spreadsheet that splits at commas, semicolons and tabs alike.
    writer = csv.writer(_Lines(), delimiter=separator, quoting=csv.QUOTE_ALL)
    yield "\ufeff" + writer.writerow(columns)  # Excel tells UTF-8 by the byte order mark.
    for chunk in chunks:
        yield "".join(writer.writerow(map(_without_formula, row)) for row in chunk)


def _without_formula(value: Any) -> Any:
    return FORMULA.sub(r"\1'", value) if isinstance(value, str) else value
