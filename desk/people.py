"""The people who can have an incident, by their names."""

from collections import Counter

from django.db.models import QuerySet

from identity.models import User

MAX_PEOPLE = 200  # in a menu


def people() -> QuerySet[User]:
    """Finds the active users who may change incidents."""
    return User.objects.with_perm("incidents.change_incident")


def choices() -> list[tuple[str, str]]:
    """Returns usernames and names of the first MAX_PEOPLE, in one query; namesakes have their usernames, too."""
    found = people().only("username", "last_name", "first_name", "patronymic")
    names = {
        user.username: user.get_full_name().strip() or user.username
        for user in found.order_by("last_name", "first_name", "username")[:MAX_PEOPLE]
    }
    times = Counter(names.values())
    return [(username, name if times[name] == 1 else f"{name} ({username})") for username, name in names.items()]
