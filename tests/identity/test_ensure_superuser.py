import pytest
from django.core.management import CommandError, call_command

from identity.models import User
from tests.helpers.identity import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_first_superuser_in_development(capsys, settings, monkeypatch):
    call_command("ensure_superuser")
    assert not User.objects.exists()
    settings.DEBUG = True
    call_command("ensure_superuser")
    output = capsys.readouterr().out
    password = output.split("password ")[1].split()[0]
    assert User.objects.get(username="admin").check_password(password)
    assert password[0].isalpha() and password.isalnum()
    call_command("ensure_superuser")
    assert capsys.readouterr().out == ""


def test_first_superuser_from_the_environment(capsys, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "chief")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("ensure_superuser")
    assert User.objects.get().check_password(PASSWORD)
    assert capsys.readouterr().out == ""


def test_username_of_another_user_is_a_clear_error(monkeypatch):
    User.objects.create_user("Chief")
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "chief")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    with pytest.raises(CommandError, match="chief exists and is not a superuser"):
        call_command("ensure_superuser")
