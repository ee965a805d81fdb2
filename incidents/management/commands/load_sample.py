import json
import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Max, Model
from django.utils import timezone
from tqdm import tqdm

from incidents.models import Incident, IncidentChange, Source

BATCH = 5_000
YEAR = timedelta(days=365)
# The statuses that an incident passes through, and how many in a hundred take each path.
type Path = tuple[str, ...]
PATHS: list[Path] = [("open",), ("open", "in_progress"), ("open", "in_progress", "resolved"), ("open", "closed")]
SHARES = [5, 5, 20, 70]
REPORTS = (
    "Самокат номер {number} не в сети",
    "Самокат номер {number} не в сети: последний сигнал у метро «{place}», требуется выезд техника",
    "Самокат {number}: аккумулятор разряжен до {percent} %, стоит у метро «{place}»",
    "Самокат {number} лежит поперёк тротуара у метро «{place}»",
    "Самокат {number}: не закрывается замок, поездка не завершается",
    "Точка {point} не отвечает",
    "Точка {point} не отвечает: нет связи с контроллером, проверить питание и модем",
    "Точка {point}: терминал оплаты не принимает карты",
    "Оплата поездки на самокате {number} списана дважды, клиент ждёт возврата",
    "Мониторинг: доля ошибок платёжного шлюза {percent} % за последние пять минут",
    "Партнёр сообщает: на парковке у метро «{place}» нет свободных мест",
    "Клиент жалуется: тормоз самоката {number} срабатывает с задержкой",
)
PLACES = ("Сокол", "Таганская", "Чистые пруды", "Парк культуры", "Академическая", "Невский проспект", "Уралмаш", "Ёлки")
ACTORS = ("petrova", "sidorov", "kuznetsova", "akhmetov", "smirnov")


INCIDENT_COLUMNS = ("id", "description", "status", "source", "created_at", "updated_at")
CHANGE_COLUMNS = ("incident_id", "at", "actor", "channel", "changes")


class Command(BaseCommand):
    help = "Adds believable incidents of the last year, with their histories."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--count", type=int, default=1_000, help="how many (1000)")

    def handle(self, *args: Any, count: int, **options: Any) -> None:
        if count < 1:
            raise CommandError("--count takes a number from 1")
        now = timezone.now()
        with tqdm(total=count, unit=" incidents", disable=None) as progress:
            for start in range(0, count, BATCH):
                size = min(BATCH, count - start)
                with transaction.atomic(), connection.cursor() as cursor:
                    timestamps = (now - YEAR * ((count - number) / count) for number in range(start, start + size))
                    rows = [incident(pk, at, now) for pk, at in zip(new_ids(cursor, size), timestamps, strict=True)]
                    insert(cursor, Incident, INCIDENT_COLUMNS, [row for row, _, _ in rows])
                    changes = [change for row, path, changed_at in rows for change in history(row, path, changed_at)]
                    insert(cursor, IncidentChange, CHANGE_COLUMNS, changes)
                progress.update(size)
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE incidents_incident, incidents_incidentchange")
        self.stdout.write(f"{count} incidents added")


def incident(pk: int, created_at: datetime, now: datetime) -> tuple[tuple[Any, ...], Path, datetime]:
    """
    A row of incidents_incident, the statuses that it has passed through, and when it got the last of them.

    `updated_at` is when it is recorded: who asks for what was updated since gets the sample, too.
    """
    (path,) = random.choices(PATHS, SHARES)
    changed_at = created_at + (now - created_at) * random.random() ** 3 if len(path) > 1 else created_at
    description = random.choice(REPORTS).format(
        number=random.randrange(100_000, 1_000_000),
        point=random.randrange(1, 1_000),
        percent=random.randrange(1, 20),
        place=random.choice(PLACES),
    )
    row = (pk, description, path[-1], random.choice(Source.values), created_at, timezone.now())
    return row, path, changed_at


def history(row: tuple[Any, ...], path: Path, changed_at: datetime) -> Iterator[tuple[Any, ...]]:
    """The rows of history that the services would have written, the last of them at `changed_at`."""
    pk, description, _, source, created_at, _ = row
    created = {"description": [None, description], "status": [None, path[0]], "source": [None, source]}
    yield pk, created_at, "sample", "command", json.dumps(created)
    for step, (old, new) in enumerate(pairwise(path), 1):
        at = created_at + (changed_at - created_at) * step / (len(path) - 1)
        yield pk, at, random.choice(ACTORS), "admin", json.dumps({"status": [old, new]})


def new_ids(cursor: CursorWrapper, count: int) -> Iterable[int]:
    """Ids reserved for this writer, ascending."""
    if connection.vendor == "postgresql":
        sequence = "pg_get_serial_sequence('incidents_incident', 'id')"
        cursor.execute(f"SELECT nextval({sequence}) FROM generate_series(1, %s)", [count])  # noqa: S608
        return [pk for (pk,) in cursor.fetchall()]
    last = Incident.objects.aggregate(Max("id"))["id__max"] or 0  # the transaction is the only writer
    return range(last + 1, last + 1 + count)


def insert(cursor: CursorWrapper, model: type[Model], columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    # Model instances take twice as long.
    into = f"{model._meta.db_table} ({', '.join(columns)})"
    if connection.vendor == "postgresql":
        with cursor.copy(f"COPY {into} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        rows = [tuple(sqlite_value(value) for value in row) for row in rows]
        cursor.executemany(f"INSERT INTO {into} VALUES ({', '.join(['%s'] * len(columns))})", rows)  # noqa: S608


def sqlite_value(value: Any) -> Any:
    """In the format of Django's own timestamps: the driver would add an offset, `+00:00`."""
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
