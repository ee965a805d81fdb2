"""A list of incidents as a CSV or XLSX file of any length, streamed in constant memory."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from core.db import replica
from desk import xlsx
from incidents.history import full_names
from incidents.models import Incident, Source, Status
from incidents.store import store
from incidents.table import Texts, cells, select

CHUNK = 2_000
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
    # Excel expects the separator of the country.
    separator = ";" if get_language() == "ru" else ","
    # What depends on the language and the time zone of the request, which are gone when the rows are read.
    labels = {value: str(label) for value, label in (*Status.choices, *Source.choices)}
    texts = Texts(labels, full_names(), timezone.get_current_timezone())
    if form == "csv":
        stream = _csv(list(columns), separator, incidents, texts)
    else:
        stream = xlsx.write(_("Incidents"), columns, _rows(incidents, texts))
    headers = {"Content-Disposition": f'attachment; filename="incidents-{timezone.localdate()}.{form}"'}
    return StreamingHttpResponse(stream, content_type=CONTENT_TYPES[form], headers=headers)


# A query for each chunk: a cursor would need a transaction as long as the download. A chunk that the replica does not
# finish is read from the primary.


def _csv(header: list[str], separator: str, incidents: QuerySet[Incident], texts: Texts) -> Iterator[bytes]:
    # Excel tells UTF-8 by the byte order mark.
    yield ("\ufeff" + separator.join(f'"{name}"' for name in header) + "\r\n").encode()
    newest = select(incidents.order_by("-pk"))
    lines, last = replica.read(partial(store.csv_lines, newest[:CHUNK], texts, separator))
    while lines:
        yield lines
        lines, last = replica.read(partial(store.csv_lines, newest.filter(pk__lt=last)[:CHUNK], texts, separator))


def _rows(incidents: QuerySet[Incident], texts: Texts) -> Iterator[list[Any]]:
    newest = select(incidents.order_by("-pk"))
    rows: list[tuple[Any, ...]] = replica.read(partial(list, newest[:CHUNK]))
    while rows:
        yield from cells(rows, texts)
        rows = replica.read(partial(list, newest.filter(pk__lt=rows[-1][0])[:CHUNK]))
