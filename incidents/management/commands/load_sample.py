import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone
from tqdm import tqdm

from incidents.models import Incident, IncidentChange, Source
from incidents.store import store

BATCH = 5_000
# As many a day as make a desk look lived in: a small sample is of the last weeks, a large one of the last year.
PER_DAY = 20
SHORTEST, LONGEST = timedelta(days=14), timedelta(days=365)
# The statuses that incidents pass through, how many in a hundred take each path, and how long a step takes at most:
# what is still open is a few days old.
PATHS = (("in_progress", "resolved"), ("in_progress", "resolved", "closed"), ("closed",))
SHARES = (55, 25, 20)
LONGEST_STEP = timedelta(days=3)
URGENT = 0.05  # of all
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


type Step = tuple[datetime, str, str]  # when, to which status, by whom
# With `taken_by`, which a trigger would write row by row
INCIDENT_COLUMNS = ("id", "description", "status", "source", "created_at", "updated_at", "urgent", "taken_by")
CHANGE_COLUMNS = ("incident_id", "at", "actor", "channel", "changes")


class Command(BaseCommand):
    help = "Adds believable incidents of the last weeks, of the last year if there are many, with their histories."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--count", type=int, default=1_000, help="how many (1000)")

    def handle(self, *args: Any, count: int, **options: Any) -> None:
        if count < 1:
            raise CommandError("--count takes a number from 1")
        now = timezone.now()
        period = min(max(timedelta(days=count / PER_DAY), SHORTEST), LONGEST)
        with tqdm(total=count, unit=" incidents", disable=None) as progress:
            for start in range(0, count, BATCH):
                size = min(BATCH, count - start)
                with transaction.atomic():
                    timestamps = (now - period * ((count - number) / count) for number in range(start, start + size))
                    rows = [
                        incident(pk, at, now)
                        for pk, at in zip(store.reserve_ids(Incident, size), timestamps, strict=True)
                    ]
                    store.insert_rows(Incident, INCIDENT_COLUMNS, [row for row, _ in rows])
                    changes = [change for row, steps in rows for change in history(row, steps)]
                    store.insert_rows(IncidentChange, CHANGE_COLUMNS, changes)
                progress.update(size)
        store.update_statistics()
        self.stdout.write(f"{count} incidents added")


def incident(pk: int, created_at: datetime, now: datetime) -> tuple[tuple[Any, ...], list[Step]]:
    """
    Makes a row of incidents_incident, and the steps to the statuses that it had until `now`.

    `updated_at` is when it is recorded: who asks for what was updated since gets the sample, too.
    """
    steps = [(created_at, "open", "sample")]
    for status in random.choices(PATHS, SHARES)[0]:
        at = steps[-1][0] + LONGEST_STEP * random.random() ** 4  # most within hours
        if at > now:
            break
        steps.append((at, status, random.choice(ACTORS)))
    description = random.choice(REPORTS).format(
        number=random.randrange(100_000, 1_000_000),
        point=random.randrange(1, 1_000),
        percent=random.randrange(1, 20),
        place=random.choice(PLACES),
    )
    status, source, urgent = steps[-1][1], random.choice(Source.values), random.random() < URGENT
    taken_by = next((actor for _, status, actor in steps if status == "in_progress"), "")
    return (pk, description, status, source, created_at, timezone.now(), urgent, taken_by), steps


def history(row: tuple[Any, ...], steps: list[Step]) -> Iterator[tuple[Any, ...]]:
    """Makes the rows of history that the services would have written."""
    pk, description, _, source, _, _, urgent, _ = row
    created_at, _, actor = steps[0]
    created = {"description": [None, description], "status": [None, "open"], "source": [None, source]}
    if urgent:
        created["urgent"] = [None, True]
    yield pk, created_at, actor, "command", json.dumps(created)
    for (_, old, _), (at, new, actor) in pairwise(steps):
        yield pk, at, actor, "admin", json.dumps({"status": [old, new]})
