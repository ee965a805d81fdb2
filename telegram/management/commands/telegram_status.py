from typing import Any

from django.core.management.base import BaseCommand

from telegram.status import report


class Command(BaseCommand):
    help = "Says what of Telegram works and what does not, and how to mend it."

    def handle(self, *args: Any, **options: Any) -> None:
        for line in report():
            if line.hint:
                self.stdout.write(self.style.ERROR(f"PROBLEM  {line.text}"))
                self.stdout.write(f"         {line.hint}")
            else:
                self.stdout.write(f"ok       {line.text}")
