"""Test incidents: with history through the services, or many at once without."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from incidents.actors import Named
from incidents.models import Incident, Source, Status
from incidents.services import create_incident

URL = "/api/v1/incidents/"
BODY = {"description": "Самокат не в сети", "source": "operator"}
MIDNIGHT = datetime(2024, 1, 15, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def make_incident(**values: Any) -> Incident:
    """Has a history, by default of the actor "a"."""
    defaults: dict[str, Any] = {**BODY, "actor": Named("a"), "channel": "api"}
    return create_incident(**defaults | values)


def seeded(seed: int | None = None) -> random.Random:
    """A generator whose seed is printed: pytest shows it with a failure."""
    seed = random.randrange(2**32) if seed is None else seed
    print(f"seed {seed}")
    return random.Random(seed)


def make_many(count: int, chance: random.Random, created_at: Callable[[], datetime], **values: Any) -> list[Incident]:
    """Random statuses and sources, no history."""
    return Incident.objects.bulk_create(
        Incident(
            **{"description": BODY["description"]}
            | {"status": chance.choice(Status.values), "source": chance.choice(Source.values)}
            | {"urgent": chance.choice([True, False, False])}
            | {"created_at": (at := created_at()), "updated_at": at}
            | values
        )
        for _ in range(count)
    )
