import os
from typing import Any

from django.core.management import call_command
from django.core.management.commands.runserver import Command as RunServer

from core.db.migrations import is_migration_missing
from core.jobs import Runner


class Command(RunServer):
    help = "For development: migrates, creates a first superuser, serves, runs the jobs and reloads changed code."

    def handle(self, *args: Any, **options: Any) -> None:
        host, _, port = (options["addrport"] or "").rpartition(":")
        if ":" in host.strip("[]"):
            options["addrport"] = f"[{host.strip('[]')}]:{port}"  # HOST=::1 make run
        # The autoreloader runs the command again in a child process, which serves.
        if os.environ.get("RUN_MAIN") != "true":
            if is_migration_missing():
                call_command("migrate", verbosity=0)
        else:
            Runner().start()
        super().handle(*args, **options)

    def on_bind(self, server_port: int) -> None:
        host = "127.0.0.1" if self.addr in ("0", "0.0.0.0", "::") else self.addr  # type: ignore[attr-defined]  # noqa: S104
        base = f"http://{f'[{host}]' if ':' in host else host}:{server_port}/api"
        self.stdout.write(f"Swagger UI  {base}/v1/schema/swagger-ui/\nAdmin       {base}/admin/")
        # Last, so that the password is still on the screen after the first pages.
        call_command("ensure_superuser")
