import os
import string
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.utils.crypto import get_random_string

from identity.models import User


class Command(BaseCommand):
    help = (
        "Creates a superuser if there is none: from DJANGO_SUPERUSER_USERNAME, _PASSWORD and _EMAIL, "
        "or, in development only, `admin` with a random password that is printed once."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.filter(is_superuser=True).exists():
            return
        username = os.environ.get("DJANGO_SUPERUSER_USERNAME") or "admin"
        password = os.environ.get("DJANGO_SUPERUSER_PASSWORD")
        if not password and not settings.DEBUG:
            return
        email = os.environ.get("DJANGO_SUPERUSER_EMAIL") or ""
        # Begins with a letter: a shell or a form may take a hyphen or an underscore for something else.
        random = get_random_string(1, string.ascii_letters) + get_random_string(15)
        try:
            User.objects.create_superuser(username, email, password or random)
        except IntegrityError:
            raise CommandError(f"{username} exists and is not a superuser: set DJANGO_SUPERUSER_USERNAME.") from None
        if not password:
            self.stdout.write(f"First superuser: {username}, password {random} (shown this once)")
