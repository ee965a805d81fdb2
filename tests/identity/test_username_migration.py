"""Migration 0002: the upgrade from a release with case-sensitive usernames."""

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from identity.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def old_users():
    """Writes users as the previous release did."""
    call_command("migrate", "identity", "0001", verbosity=0)

    def write(*usernames):
        columns = (
            "username, password, first_name, last_name, patronymic, email, is_superuser, is_staff, is_active, "
            "date_joined, password_changed_at"
        )
        values = "%s, '', '', '', '', '', false, false, true, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP"
        with connection.cursor() as cursor:
            for username in usernames:
                cursor.execute(
                    f"INSERT INTO identity_user ({columns}) VALUES ({values})",
                    [username],
                )

    yield write
    call_command("migrate", verbosity=0)


def test_users_get_their_keys(old_users):
    old_users("root1", "Петров")
    call_command("migrate", "identity", verbosity=0)
    assert User.objects.get_by_natural_key("ROOT1").username == "root1"
    assert User.objects.get_by_natural_key("петров").username == "Петров"


def test_clashing_usernames_are_named_with_the_remedy(old_users):
    old_users("root1", "petrova", "ROOT1")
    with pytest.raises(CommandError, match=r"root1 \(id \d+\) and ROOT1 \(id \d+\).+Rename"):
        call_command("migrate", "identity", verbosity=0)
    User.objects.filter(username="ROOT1").update(username="root2")
    call_command("migrate", "identity", verbosity=0)
    assert User.objects.filter(username_key="root2").exists()
