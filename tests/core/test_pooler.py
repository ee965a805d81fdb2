"""What needs a session of its own is turned off behind a pooler; tests/e2e/test_pgbouncer.py has real ones."""

import psycopg
import pytest
from django.db import OperationalError, connection

pytestmark = pytest.mark.django_db


@pytest.fixture
def connect():
    """A new connection with the setting."""
    opened = []

    def connect(prepared):
        opened.append(connection.copy())
        opened[-1].settings_dict |= {"PREPARED_STATEMENTS": prepared, "DISABLE_SERVER_SIDE_CURSORS": False}
        opened[-1].ensure_connection()
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def session_features(wrapper):
    return wrapper.connection.prepare_threshold, not wrapper.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]


@pytest.mark.parametrize("prepared", ["auto", "on"])
def test_statements_are_prepared_without_a_pooler(connect, prepared):
    assert session_features(connect(prepared)) == (5, True)


def test_setting_turns_them_off(connect):
    assert session_features(connect("off")) == (None, False)


def test_pooler_is_noticed_by_the_process_that_it_cannot_name(connect, monkeypatch):
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", 7)
    assert session_features(connect("auto")) == (None, False)


def test_forced_on_they_are_refused_behind_a_pooler_that_mixes_them_up(connect, monkeypatch):
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", 7)
    with pytest.raises(OperationalError, match=r"^Set POSTGRES_PREPARED_STATEMENTS to auto: "):
        connect("on")
