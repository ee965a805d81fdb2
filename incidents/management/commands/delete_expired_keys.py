from typing import Any

from django.core.management.base import BaseCommand

from incidents.idempotency import delete_expired


class Command(BaseCommand):
    help = "Forgets the idempotency keys that are older than a day. The service does so itself; this is by hand."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{delete_expired()} keys deleted")
