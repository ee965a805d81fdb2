from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from incidents.models import Source
from intake.models import Sender
from intake.parsers import Format


class Command(BaseCommand):
    help = "Sets up a system that reports by itself, and prints its secret, which is not shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="its calls go to /api/v1/intake/NAME/")
        parser.add_argument("--format", choices=Format.values, required=True)
        parser.add_argument("--source", choices=Source.values, default=Source.MONITORING, help="(monitoring)")
        parser.add_argument("--description", metavar="PATH", default="", help="where a generic sender has the text")
        parser.add_argument("--dedup", metavar="PATH", default="", help="where it has what names the problem")
        parser.add_argument("--resolved", metavar="PATH=VALUE", default="", help="what says that the problem is over")
        parser.add_argument(
            "--urgent", metavar="PATH=VALUE[,VALUE]", default="", help="what says that the problem is urgent"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        sender = Sender(
            name=options["name"],
            format=options["format"],
            source=options["source"],
            description_path=options["description"],
            dedup_path=options["dedup"],
            resolved=options["resolved"],
            urgent=options["urgent"],
        )
        secret = sender.make_secret()
        try:
            sender.full_clean()
        except ValidationError as exc:
            raise CommandError("\n".join(exc.messages)) from None
        sender.save()
        self.stdout.write(secret)
