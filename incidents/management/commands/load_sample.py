import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, transaction
from django.utils import timezone
from tqdm import tqdm

from incidents.models import Channel, Incident, IncidentChange, Source, Status

BATCH = 5_000
YEAR = timedelta(days=365)
# Each status with its share and the way an incident came to it.
PATHS = {
    (Status.OPEN,): 5,
    (Status.OPEN, Status.IN_PROGRESS): 5,
    (Status.OPEN, Status.IN_PROGRESS, Status.RESOLVED): 20,
    (Status.OPEN, Status.CLOSED): 70,
}
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


class Command(BaseCommand):
    help = "Adds believable incidents of the last year, with their histories."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--count", type=int, default=1_000, help="how many (1000)")

    def handle(self, *args: Any, count: int, **options: Any) -> None:
        incidents = sample(count)
        with tqdm(total=count, unit=" incidents", disable=None) as progress:
            while batch := list(islice(incidents, BATCH)):
                with transaction.atomic():
                    Incident.objects.bulk_create(incident for incident, _ in batch)
                    IncidentChange.objects.bulk_create(
                        change for incident, path in batch for change in history(incident, path)
                    )
                progress.update(len(batch))
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE incidents_incident, incidents_incidentchange")
        self.stdout.write(f"{count} incidents added")


def sample(count: int) -> Iterator[tuple[Incident, tuple[Status, ...]]]:
    """Incidents not yet saved, oldest first, each with the statuses it went through."""
    now = timezone.now()
    paths, shares = list(PATHS), list(PATHS.values())
    sources = list(Source)
    for number in range(count):
        path = random.choices(paths, shares)[0]
        created_at = now - YEAR * (count - number) / count
        # What was worked on was worked on by now.
        updated_at = created_at + (now - created_at) * random.random() ** 3 if len(path) > 1 else created_at
        description = random.choice(REPORTS).format(
            number=random.randrange(100_000, 1_000_000),
            point=random.randrange(1, 1_000),
            percent=random.randrange(1, 20),
            place=random.choice(PLACES),
        )
        yield (
            Incident(
                description=description,
                status=path[-1],
                source=random.choice(sources),
                created_at=created_at,
                updated_at=updated_at,
            ),
            path,
        )


def history(incident: Incident, path: tuple[Status, ...]) -> Iterator[IncidentChange]:
    """The entries that the services would have written on that way, the last at the incident's last change."""

    def entry(at: datetime, actor: str, channel: Channel, changes: dict[str, list[str | None]]) -> IncidentChange:
        return IncidentChange(incident=incident, at=at, actor=actor, channel=channel, changes=changes)

    author = "sample"
    yield entry(
        incident.created_at,
        author,
        Channel.COMMAND,
        {
            "description": [None, incident.description],
            "status": [None, path[0]],
            "source": [None, incident.source],
        },
    )
    steps = len(path) - 1
    for step, (old, new) in enumerate(pairwise(path), 1):
        at = incident.created_at + (incident.updated_at - incident.created_at) * step / steps
        yield entry(at, random.choice(ACTORS), Channel.ADMIN, {"status": [old, new]})
