"""Operations of migrations."""

from time import sleep
from typing import Any

from django.core.management import CommandError
from django.db import IntegrityError, OperationalError, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddConstraint
from django.db.migrations.state import ProjectState
from django.db.models import CheckConstraint

MAX_ATTEMPTS = 100
MAX_NAMED = 10  # rows


def without_queueing(schema_editor: BaseDatabaseSchemaEditor, *statements: str) -> None:
    """
    Executes statements of PostgreSQL that lock a table for an instant, in a transaction of their own.

    While they wait for the lock, others queue up behind them: for a second at most, then they are tried again.
    """
    for attempt in range(MAX_ATTEMPTS):
        try:
            with transaction.atomic(schema_editor.connection.alias):
                schema_editor.execute("SET LOCAL lock_timeout = '1s'")
                for statement in statements:
                    schema_editor.execute(statement, params=None)
            break
        except OperationalError:  # a long transaction, such as a backup, uses the table
            if attempt == MAX_ATTEMPTS - 1:
                raise
            sleep(1)


class AddCheck(AddConstraint):
    """
    Adds a CheckConstraint. Its migration must not be atomic; interrupted, it can be started again.

    On PostgreSQL writers wait for a second at most: ALTER TABLE holds its lock for an instant only, but others queue up
    behind it while it waits. VALIDATE CONSTRAINT reads the table beside them.
    """

    constraint: CheckConstraint

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Raises CommandError if rows violate the constraint."""
        model = to_state.apps.get_model(app_label, self.model_name)
        try:
            if schema_editor.connection.vendor == "postgresql":
                self._add(model, schema_editor)
            else:
                with transaction.atomic(schema_editor.connection.alias):
                    super().database_forwards(app_label, schema_editor, from_state, to_state)
        except IntegrityError as exc:
            wrong = model._default_manager.exclude(self.constraint.condition).order_by("pk")[:MAX_NAMED]
            ids = ", ".join(str(pk) for pk in wrong.values_list("pk", flat=True))
            raise CommandError(
                f"Rows of {model._meta.db_table} violate the check {self.constraint.name}, such as those with the ids "
                f"{ids}. Correct them, then migrate again."
            ) from exc

    def _add(self, model: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        quote = schema_editor.connection.ops.quote_name
        table, name = quote(model._meta.db_table), quote(self.constraint.name)
        without_queueing(
            schema_editor,
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}",
            f"{self.constraint.create_sql(model, schema_editor)} NOT VALID",
        )
        schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
