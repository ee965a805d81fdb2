"""The upgrade from a release with case-sensitive usernames, which serves while the migrations run."""

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection

from identity.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def write(*usernames):
    """As the previous release did."""
    columns = (
        "username, password, first_name, last_name, patronymic, email, is_superuser, is_staff, is_active, "
        "date_joined, password_changed_at"
    )
    values = "%s, '', '', '', '', '', false, false, true, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP"
    with connection.cursor() as cursor:
        for username in usernames:
            cursor.execute(f"INSERT INTO identity_user ({columns}) VALUES ({values})", [username])


@pytest.fixture
def old_users():
    call_command("migrate", "identity", "0001", verbosity=0)
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


def keys():
    return dict(User.objects.values_list("username", "username_key"))


def test_user_whom_the_previous_release_makes_on_the_new_schema(db):
    write("Кузнецов", "SMIRNOV")
    if connection.vendor == "postgresql":
        assert keys() == {"Кузнецов": "kyзheцob", "SMIRNOV": "smirnov"}
        with pytest.raises(IntegrityError):
            write("smirnov")
    call_command("migrate", verbosity=0)
    assert keys() == {"Кузнецов": "kyзheцob", "SMIRNOV": "smirnov"}


def test_user_whom_the_previous_release_renames(db):
    write("ivanov")
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE identity_user SET username = 'Petrov', email = 'p@example.org'")
    if connection.vendor == "postgresql":
        assert keys() == {"Petrov": "petrov"}
    call_command("migrate", verbosity=0)
    assert keys() == {"Petrov": "petrov"}


def test_a_clash_is_named_and_does_not_stop_the_upgrade(db, caplog):
    User.objects.create_user("ivanov")
    write("petrov")
    call_command("migrate", verbosity=0)
    User.objects.filter(username="petrov").update(username="ßtrasse")
    User.objects.filter(username="ivanov").update(username="SStrasse", username_key="sstrasse")
    call_command("migrate", verbosity=0)
    assert "Rename the user ßtrasse" in caplog.text
