"""Incidents as two months of work leave them: old ones are done, most in a few hours, and the last days' are not."""

import json
import random
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg

from incidents.management.commands.load_sample import ACTORS, CHANGE_COLUMNS, INCIDENT_COLUMNS, PLACES, REPORTS

FIRST_ID = 2451
COUNT = 534  # the next is №2985


def fill(connection: psycopg.Connection[Any], now: datetime, seed: int = 15) -> None:
    chance = random.Random(seed)
    ages = sorted((timedelta(days=60) * chance.random() ** 1.15 for _ in range(COUNT)), reverse=True)
    rows, changes = [], []
    for pk, age in enumerate(ages, FIRST_ID):
        created_at = now - age - timedelta(hours=1)
        waits = [timedelta(minutes=chance.lognormvariate(3.2, 1)), timedelta(hours=chance.lognormvariate(1, 0.9))]
        path = chance.choice(
            [("open", "in_progress", "resolved"), ("open", "in_progress", "resolved", "closed"), ("open", "closed")]
        )
        description = chance.choice(REPORTS).format(
            number=chance.randrange(100_000, 1_000_000),
            point=chance.randrange(1, 1_000),
            percent=chance.randrange(1, 20),
            place=chance.choice(PLACES),
        )
        source = chance.choices(["operator", "monitoring", "partner"], [5, 3, 2])[0]
        first = {"description": [None, description], "status": [None, "open"], "source": [None, source]}
        channel = "admin" if source == "operator" else "api"
        changes.append((pk, created_at, chance.choice(ACTORS), channel, json.dumps(first)))
        at, status = created_at, "open"
        for wait, (old, new) in zip([*waits, timedelta(days=2)], pairwise(path), strict=False):
            if at + wait > now or (new != "in_progress" and age < timedelta(days=6) and chance.random() < 0.2):
                break
            at, status = at + wait, new
            changes.append((pk, at, chance.choice(ACTORS), "admin", json.dumps({"status": [old, new]})))
        rows.append((pk, description, status, source, created_at, at, False, ""))  # a trigger finds who took it
    with connection.cursor() as cursor:
        for table, columns, values in (
            ("incidents_incident", INCIDENT_COLUMNS, rows),
            ("incidents_incidentchange", CHANGE_COLUMNS, changes),
        ):
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in values:
                    copy.write_row(row)
        cursor.execute("SELECT setval(pg_get_serial_sequence('incidents_incident', 'id'), %s)", [FIRST_ID + COUNT - 1])
        cursor.execute("ANALYZE incidents_incident, incidents_incidentchange")
