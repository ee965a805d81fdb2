from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rest_framework_simplejwt.tokens import AccessToken

from identity.models import User
from identity.tokens import issue


class Command(BaseCommand):
    help = "Prints a long-lived access token for a system that cannot refresh one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--days", type=int, default=365, help="how long it lives (365)")

    def handle(self, *args: Any, username: str, days: int, **options: Any) -> None:
        if not 1 <= days <= 36_500:
            raise CommandError("--days takes a number from 1 to 36500")
        try:
            user = User.objects.get_by_natural_key(username)
        except User.DoesNotExist:
            user = None
        if not user or not user.is_active:
            raise CommandError(f"There is no active user {username}")
        token = issue(AccessToken, user)
        token.set_exp(lifetime=timedelta(days=days))
        self.stdout.write(str(token))
