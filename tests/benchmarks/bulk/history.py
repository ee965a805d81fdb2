"""
The import of a chat from Telegram Desktop's export, by the command as an operator calls it.

The limit is COPY of the rows that the import wrote, a thousand of each table in a transaction, with all triggers.
"""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path
from typing import Any

from tests.benchmarks.bulk import Comparison
from tests.benchmarks.fill import SERVICE_BIN, copy_database, environment
from tests.benchmarks.postgres import Postgres
from tests.benchmarks.processes import run_step

MESSAGES = 50_000
BATCH = 1_000
# How many in a hundred entries are of each kind
KINDS = {"plain": 70, "reply": 14, "photo": 6, "entities": 6, "service": 4}
TEXTS = (
    "Самокат номер {} не в сети: последний сигнал у метро «Таганская», требуется выезд техника",
    "Самокат {} лежит поперёк тротуара",
    "Точка {} не отвечает: нет связи с контроллером, проверить питание и модем",
    "Оплата поездки на самокате {} списана дважды, клиент ждёт возврата",
)
COPIED = ("incidents_incident", "incidents_incidentchange", "telegram_message")


@contextmanager
def prepare(postgres: Postgres, directory: Path) -> Iterator[list[Comparison]]:
    export = directory / "result.json"
    write_export(export)
    python = f"{SERVICE_BIN}/python"
    postgres.sql("CREATE DATABASE history_empty")
    run_step([python, "manage.py", "migrate", "--noinput"], environment(postgres, "history_empty"))

    def run_import(database: str) -> float:
        empty_database(postgres, database)
        began = time.perf_counter()
        run_step([python, "manage.py", "import_telegram", str(export)], environment(postgres, database))
        return MESSAGES / (time.perf_counter() - began)

    run_import("history_source")
    blocks = {table: list(read_blocks(postgres, table)) for table in COPIED}
    chats = {table: list(read_blocks(postgres, table)) for table in ("telegram_chat", "telegram_chatalias")}

    def copy_rows() -> float:
        empty_database(postgres, "history_limit")
        with postgres.connect("history_limit") as connection:
            write_blocks(connection, chats)
            began = time.perf_counter()
            write_blocks(connection, blocks)
            return MESSAGES / (time.perf_counter() - began)

    yield [
        Comparison(
            name=f"Telegram import, {MESSAGES:,} messages",
            unit="messages/s",
            ours=lambda: run_import("history_ours"),
            limit=copy_rows,
            goal="≥ 0.4",
        )
    ]


def empty_database(postgres: Postgres, database: str) -> None:
    postgres.sql(f"DROP DATABASE IF EXISTS {database}")
    copy_database(postgres, "history_empty", database)


def read_blocks(postgres: Postgres, table: str) -> Iterator[bytes]:
    """The rows of a table as COPY writes them, a batch at a time."""
    with postgres.connect("history_source") as connection, connection.cursor() as cursor:
        with cursor.copy(f"COPY (SELECT * FROM {table} ORDER BY id) TO STDOUT".encode()) as copy:
            for rows in batched(copy, BATCH):  # PostgreSQL sends a row in each message
                yield b"".join(map(bytes, rows))


def write_blocks(connection: Any, tables: dict[str, list[bytes]]) -> None:
    """
    Writes a block of each table in a transaction.

    There are no more incidents than rows of the other tables: those of a block are in the database already.
    """
    for number in range(max(map(len, tables.values()))):
        with connection.transaction(), connection.cursor() as cursor:
            for table, blocks in tables.items():
                if number < len(blocks):
                    with cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
                        copy.write(blocks[number])


def write_export(path: Path) -> None:
    """Writes a chat in the format of Telegram Desktop."""
    chosen = random.Random(1)
    kinds = chosen.choices(list(KINDS), list(KINDS.values()), k=MESSAGES)
    with path.open("w") as file:
        file.write('{\n "name": "Ops",\n "type": "private_supergroup",\n "id": 1234567890,\n "messages": [\n')
        for number, kind in enumerate(kinds, 1):
            body = json.dumps(entry(chosen, number, kind), ensure_ascii=False, indent=1)
            file.write(body.replace("\n", "\n  ") + ("" if number == MESSAGES else ",\n"))
        file.write("\n ]\n}")


def entry(chosen: random.Random, number: int, kind: str) -> dict[str, Any]:
    at = 1_600_000_000 + 600 * number
    author = chosen.randrange(40)
    sender = {"from": f"Анна {author}", "from_id": f"user{7_000_000_000 + author}"}
    words = chosen.choice(TEXTS).format(chosen.randrange(100_000, 1_000_000))
    parts: list[dict[str, str]] = [{"type": "plain", "text": words}]
    fields: dict[str, Any] = {"text": words}
    match kind:
        case "reply":
            fields["reply_to_message_id"] = max(1, number - chosen.randrange(1, 300))
        case "photo":
            fields |= {"photo": f"photos/photo_{number}.jpg", "photo_file_size": 1, "width": 960, "height": 1280}
        case "entities":
            parts.append({"type": "text_link", "text": "лог", "href": f"https://example.org/{number}"})
            fields["text"] = [words, parts[1], ""]
        case "service":
            sender = {"actor": sender["from"], "actor_id": sender["from_id"], "action": "pin_message"}
            fields["text"], parts = "", []
    return {
        "id": number,
        "type": "service" if kind == "service" else "message",
        "date": datetime.fromtimestamp(at, UTC).isoformat()[:19],
        "date_unixtime": str(at),
        **sender,
        **fields,
        "text_entities": parts,
    }
