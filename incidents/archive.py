"""
Incidents that are closed go to a file, with their histories and what other apps keep of them, and come back from it.

The file is gzip of JSON lines, a member for each batch: a header; a line for each incident, with the rows of each table
by the table's name, and a line with their numbers and digest behind each batch; a line with the totals. A batch is one
transaction: its rows are locked, written, synchronized to the disk, read back and compared, and then deleted. A process
that dies leaves a file whose last batch may still be in the database: it is written anew when the command is repeated.

The files of attachments are copied to a folder beside it before the transaction of their batch, and deleted from the
storage after it. What a process that dies has not deleted, the repeated command deletes.
"""

import base64
import fcntl
import gzip
import os
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from itertools import batched, chain
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson
from django.db import models, transaction
from django.db.models import Exists, F, ForeignKey, OuterRef, Q, QuerySet

from incidents.attachments.archived import ArchivedFiles, delete_files, synchronize_directory
from incidents.attachments.jobs import named
from incidents.exceptions import ArchiveError
from incidents.models import Attachment, IdempotencyKey, Incident, IncidentChange, Status
from incidents.store import store

FORMAT, VERSION = "archive of incidents", 1
BATCH = 500
CHUNK = 1 << 20
UNLINKED = {"duplicate_of_id": None}

type Line = dict[str, list[dict[str, Any]]]  # of an incident: its rows, by the table's name


class Table(NamedTuple):
    """A table whose rows belong to incidents and go with them."""

    model: type[models.Model]
    # The values of columns of rows that stay, such as those by which a report is known when it comes again. None: the
    # rows are deleted.
    remains: Mapping[str, Any] | None = None
    # Their column, or the way to one of another table
    incident: str = "incident_id"


# Apps above append to them. The tables are restored in their order.
tables: list[Table] = [Table(Incident, incident="id"), Table(IncidentChange), Table(Attachment)]


def duplicates() -> QuerySet[Incident]:
    """Duplicates, as rows that belong to their main incidents."""
    return Incident.objects.filter(duplicate_of__isnull=False).annotate(incident=F("duplicate_of"))


# Rows that keep their incident from being archived
holds: list[Callable[[], QuerySet[Any]]] = [
    IdempotencyKey.objects.all,
    Attachment.objects.filter(state=Attachment.State.PENDING).all,
    Attachment.objects.filter(~Q(file=""), deleted_at__isnull=False).all,
    duplicates,  # which go first
]


class Member(NamedTuple):
    """A part of the file that stands alone."""

    end: int  # where the next one begins
    lines: list[bytes]


def closed(before: datetime) -> QuerySet[Incident]:
    return Incident.objects.filter(status=Status.CLOSED, updated_at__lt=before)


def archivable(before: datetime) -> QuerySet[Incident]:
    """Closed incidents of which nothing was changed or said since `before`, and that no row holds."""
    said = IncidentChange.objects.filter(at__gte=before)
    rows = [said, *(hold() for hold in holds)]
    return closed(before).filter(*(~Exists(each.filter(incident=OuterRef("pk"))) for each in rows))


class Writer:
    """Moves incidents to a file, which it creates or continues. Raises ArchiveError, OSError."""

    def __init__(self, path: Path, before: datetime) -> None:
        self.before = before
        self.expected = archivable(before).count()
        self.counts: Counter[str] = Counter()  # of rows in the file, by table, and of files
        self.not_copied: set[int] = set()  # incidents: a file of theirs could not be
        self._files = ArchivedFiles(path)
        self._digest = sha256()  # of the lines
        created = not path.exists()
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveError("Another process writes this file.") from None
        if created:
            synchronize_directory(path.parent)
        self._continue()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def _continue(self) -> None:
        """Goes on behind the last batch that has left the database."""
        header = {"format": FORMAT, "version": VERSION, "before": self.before.isoformat(), "expected": self.expected}
        end, left = 0, True
        rows: list[Line] = []
        self._file.seek(0)
        for number, member in enumerate(_members(self._file)):
            if number == 0:
                written = _header(member)
                if written["before"] != header["before"]:
                    raise ArchiveError(f"The file was begun with --before {written['before']}.")
            elif not left:
                # Only the last batch may have been written and not deleted.
                raise ArchiveError("Incidents of the file are in the database, as after a restore: name another file.")
            else:
                rows, last = _checked(member)
                if "totals" in last:
                    raise ArchiveError("The file is complete: name another one.")
                left = not Incident.objects.filter(pk__in=map(_pk, rows)).exists()
                if not left:
                    continue
                self.counts.update(last["counts"])
            end = member.end
            self._digest.update(b"".join(member.lines))
        _delete_files(rows)
        self._file.truncate(end)
        if end == 0:
            self._append([orjson.dumps(header) + b"\n"])

    def batches(self) -> Iterator[int]:
        """Moves a batch at a time; yields how many incidents it had. Then it completes the file."""
        for _duplicates_then_mains in range(2):
            found, behind = archivable(self.before).order_by("updated_at", "pk"), Q()
            while batch := list(found.filter(behind)[:BATCH]):
                pks = [incident.pk for incident in batch]
                # Before the transaction, which must not wait for a storage that is slow.
                copied = self._files.copy(Attachment.objects.filter(~Q(file=""), incident__in=pks))
                with transaction.atomic():
                    moved = self._move(self._lock(pks), copied)
                _delete_files(moved)
                yield len(moved)
                last = batch[-1]
                # By the index, so that no batch reads again what stays.
                behind = Q(updated_at__gt=last.updated_at) | Q(updated_at=last.updated_at, pk__gt=last.pk)
                behind &= Q(updated_at__gte=last.updated_at)
        self._append([orjson.dumps({"totals": self.counts, "sha256": self._digest.hexdigest()}) + b"\n"])

    def _lock(self, pks: list[int]) -> list[int]:
        """Returns those that can still be archived."""
        list(Incident.objects.filter(pk__in=pks).order_by("pk").select_for_update().values_list("pk"))
        # Once more, since something may have come between the look and the lock. Nothing can any more.
        found = archivable(self.before).filter(pk__in=pks).order_by("updated_at", "pk")
        return list(found.values_list("pk", flat=True))

    def _move(self, pks: list[int], copied: set[str]) -> list[Line]:
        """Returns the lines of the incidents that were moved: all whose files were copied."""
        found = {table.model: _rows_of(table, pks) for table in tables}
        batch = [{_name(model): rows.get(pk, []) for model, rows in found.items()} for pk in pks]
        moved = [line for line in batch if {row["sha256"] for row in _with_files(line)} <= copied]
        # What the first pass has left behind, the second may take along.
        self.not_copied = self.not_copied.union(pks).difference(map(_pk, moved))
        if not moved:
            return []
        lines = [orjson.dumps(line, default=_base64) + b"\n" for line in moved]
        counts = {_name(table.model): sum(len(line[_name(table.model)]) for line in moved) for table in tables}
        counts["files"] = sum(len(_with_files(line)) for line in moved)
        lines.append(orjson.dumps({"counts": counts, "sha256": sha256(b"".join(lines)).hexdigest()}) + b"\n")
        self._append(lines)
        for table in tables:
            # The incident first: a trigger lets the history of others alone be deleted.
            name = _name(table.model)
            done = _remove(table, list(map(_pk, moved)), [row for line in moved for row in line[name]])
            if done != counts[name]:
                raise ArchiveError(f"{name}: {counts[name]} rows were written, not {done}.")
        self.counts.update(counts)
        return moved

    def _append(self, lines: list[bytes]) -> None:
        """Returns once it is on the disk and was read back."""
        start = self._file.seek(0, os.SEEK_END)
        text = b"".join(lines)
        self._file.write(gzip.compress(text))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.seek(start)
        if b"".join(line for member in _members(self._file) for line in member.lines) != text:
            raise ArchiveError("What was written to the file is not what is read from it.")
        self._digest.update(text)


def restore(path: Path) -> Iterator[Counter[str]]:
    """
    Writes what a file holds and the database does not, a batch at a time; yields the numbers of rows by table.

    `skipped` counts rows that belonged to what was deleted meanwhile, such as a chat, or that others stand in place of;
    they are left out. Raises ArchiveError, after what came before it was restored.
    """
    digest, totals, complete, files = sha256(), Counter[str](), False, ArchivedFiles(path)
    links: dict[int, int] = {}
    with path.open("rb") as file:
        for number, member in enumerate(_members(file)):
            if number == 0:
                _header(member)
            else:
                rows, last = _checked(member)
                if "totals" in last:
                    complete = True
                    if last != {"totals": totals, "sha256": digest.hexdigest()}:
                        raise ArchiveError("The file is not as it was written: its totals differ.")
                    break
                totals.update(last["counts"])
                links |= _links(rows)
                missing = _missing(rows)
                count = _restore_files(missing, files)
                with transaction.atomic():
                    counts = _restore(missing)
                yield counts + count
            digest.update(b"".join(member.lines))
    _link(links)
    if not complete:
        raise ArchiveError("The file has no end: its last batch may be missing, which is still in the database.")


def _missing(lines: list[Line]) -> list[Line]:
    """Returns the lines of incidents that are not in the database."""
    known = dict(Incident.objects.filter(pk__in=map(_pk, lines)).values_list("pk", "created_at"))
    for line in lines:
        (row,) = line[_name(Incident)]
        if (at := known.get(row["id"])) and at != _at(row, "created_at"):
            raise ArchiveError(f"Another incident has the number {row['id']}.")
    return [line for line in lines if _pk(line) not in known]


def _restore_files(lines: list[Line], files: ArchivedFiles) -> Counter[str]:
    """Saves the files of attachments, whose rows get the new names: a job makes their thumbnails anew."""
    counts: Counter[str] = Counter()
    for row in chain.from_iterable(map(_with_files, lines)):
        due = row["thumbnail_due"] or row["thumbnail"] != ""
        row |= {"file": files.restore(row["sha256"]), "thumbnail": "", "thumbnail_due": due}
        counts["files"] += 1
    return counts


def _restore(missing: list[Line]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for line in missing:
        line[_name(Incident)][0] |= UNLINKED
    for table in tables:
        rows = [row for line in missing for row in line.get(_name(table.model), [])]
        kept = list(_without_dangling(table.model, rows))
        counts["skipped"] += len(rows) - len(kept)
        if table.remains is not None:
            # Those that stayed get back what they lost.
            stored = set(_existing(table.model, [row["id"] for row in kept]))
            back = [_values(table.model, row, ("id", *table.remains)) for row in kept if row["id"] in stored]
            store.update_rows(table.model, [*table.remains], back)
            counts[_name(table.model)] += len(back)
            kept = [row for row in kept if row["id"] not in stored]
        new = list(_without_taken(table.model, kept))
        counts["skipped"] += len(kept) - len(new)
        for columns, alike in _by_columns(new):
            store.insert_rows(table.model, columns, [_values(table.model, row, columns) for row in alike])
        if new and table.model._meta.auto_field:
            store.reserve_ids_until(table.model, max(row["id"] for row in new))
        counts[_name(table.model)] += len(new)
    return counts


def _links(lines: list[Line]) -> dict[int, int]:
    """Returns the main incident of each duplicate in a batch that the database does not have, or has from before."""
    rows = [row for line in lines for row in line[_name(Incident)] if row.get("duplicate_of_id")]
    known = dict(Incident.objects.filter(pk__in=[row["id"] for row in rows]).values_list("pk", "updated_at"))
    as_written = [row for row in rows if row["id"] not in known or _at(row, "updated_at") == known[row["id"]]]
    return {row["id"]: row["duplicate_of_id"] for row in as_written}


def _link(links: dict[int, int]) -> None:
    """Links duplicates to the main incidents that there are: in the file these come after them."""
    for some in batched(links.items(), BATCH):
        mains = Incident.objects.filter(pk__in={main for _pk, main in some}, duplicate_of=None)
        there = set(mains.values_list("pk", flat=True))
        unlinked = Incident.objects.filter(pk__in=[pk for pk, _main in some], duplicate_of=None)
        rows = [(pk, links[pk]) for pk in unlinked.values_list("pk", flat=True) if links[pk] in there]
        if rows:
            store.update_rows(Incident, ["duplicate_of_id"], rows)


def _rows_of(table: Table, pks: list[int]) -> dict[int, list[dict[str, Any]]]:
    """Returns rows by incident, each by its columns, and locks them."""
    columns = [field.attname for field in table.model._meta.concrete_fields]
    found: dict[int, list[dict[str, Any]]] = {}
    rows = table.model._default_manager.filter(**{f"{table.incident}__in": pks}).order_by("pk").select_for_update()
    for row in rows.values(*columns, of=F(table.incident)):
        found.setdefault(row.pop("of"), []).append(row)
    return found


def _remove(table: Table, pks: list[int], rows: list[dict[str, Any]]) -> int:
    """Deletes the rows of incidents, or what does not remain of them; returns how many there were."""
    if table.remains is not None:
        return table.model._default_manager.filter(incident__in=pks).update(**table.remains)
    column, values = table.incident, pks
    if "__" in column:
        column = table.model._meta.pk.attname
        values = [row[column] for row in rows]
    return sum(store.delete_rows(table.model, column, some) for some in batched(values, BATCH))


def _with_files(line: Line) -> list[dict[str, Any]]:
    """Returns the attachments of an incident that have a file."""
    return [row for row in line.get(_name(Attachment), []) if row["file"]]


def _delete_files(lines: list[Line]) -> None:
    """Deletes from the storage the files of attachments that have left the database."""
    attachments = chain.from_iterable(map(_with_files, lines))
    names = {name for row in attachments for name in (row["file"], row["thumbnail"]) if name}
    delete_files(names - named(names))


def _without_dangling(model: type[models.Model], rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Leaves out rows that refer to what was deleted, or the reference where it may be empty."""
    for field in model._meta.concrete_fields:
        if not isinstance(field, ForeignKey) or field.remote_field.model in (Incident, IncidentChange):
            continue
        named = {row[field.attname] for row in rows if row.get(field.attname) is not None}
        gone = named.difference(_existing(field.remote_field.model, list(named)))
        if field.null:
            rows = [row | {field.attname: None} if row.get(field.attname) in gone else row for row in rows]
        else:
            rows = [row for row in rows if row[field.attname] not in gone]
    yield from rows


def _without_taken(model: type[models.Model], rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Leaves out rows that a unique constraint would refuse, such as a card whose message number was given again."""
    columns = {field.name: field.attname for field in model._meta.concrete_fields}
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and constraint.condition is None:
            names = [columns[name] for name in constraint.fields]
            given = {f"{name}__in": {row.get(name) for row in rows} for name in names}
            taken = set(model._default_manager.filter(**given).values_list(*names))
            rows = [row for row in rows if tuple(row.get(name) for name in names) not in taken]
    yield from rows


def _existing(model: type[models.Model], pks: list[Any]) -> Iterator[Any]:
    for some in batched(pks, BATCH):
        yield from model._default_manager.filter(pk__in=some).values_list("pk", flat=True)


def _by_columns(rows: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, ...], list[dict[str, Any]]]]:
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row), []).append(row)
    yield from groups.items()


def _values(model: type[models.Model], row: dict[str, Any], columns: tuple[str, ...]) -> list[Any]:
    fields = {field.attname: field for field in model._meta.concrete_fields}
    if unknown := set(columns) - fields.keys():
        raise ArchiveError(f"{_name(model)} has no column {', '.join(unknown)}: another version wrote the file.")
    return [_value(fields[column], row[column]) for column in columns]


def _value(field: models.Field, value: Any) -> Any:
    if isinstance(field, models.JSONField):
        return orjson.dumps(value).decode()
    return field.to_python(value)


def _members(file: IO[bytes]) -> Iterator[Member]:
    """Reads from where the file stands, without a last member that is not complete."""
    end, data = file.tell(), b""
    while True:
        parts, decompress = [], zlib.decompressobj(wbits=31)  # of gzip
        try:
            while not decompress.eof:
                if not data and not (data := file.read(CHUNK)):
                    return
                end += len(data)
                parts.append(decompress.decompress(data))
                data = decompress.unused_data
                end -= len(data)
        except zlib.error as exc:
            raise ArchiveError(f"The file is damaged: {exc}") from None
        yield Member(end, b"".join(parts).splitlines(keepends=True))


def _header(member: Member) -> dict[str, Any]:
    try:
        header = orjson.loads(member.lines[0])
    except (IndexError, orjson.JSONDecodeError):
        header = {}
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ArchiveError("The file is no archive of incidents.")
    if header["version"] != VERSION:
        raise ArchiveError(f"The file has version {header['version']}, and this is version {VERSION}.")
    return header


def _checked(member: Member) -> tuple[list[Line], dict[str, Any]]:
    """Returns the incidents of a batch, and its last line."""
    *lines, last = member.lines
    end = orjson.loads(last)
    if "totals" not in end and end["sha256"] != sha256(b"".join(lines)).hexdigest():
        raise ArchiveError("The file is not as it was written: a batch has another digest.")
    return [orjson.loads(line) for line in lines], end


def _at(row: dict[str, Any], column: str) -> datetime:
    return datetime.fromisoformat(row[column])


def _pk(line: Line) -> int:
    return line[_name(Incident)][0]["id"]


def _name(model: type[models.Model]) -> str:
    return model._meta.label_lower


def _base64(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode()
