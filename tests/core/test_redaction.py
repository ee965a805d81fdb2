"""redact() masks secrets in log messages and leaves the rest as it is."""

import pytest

from core.log.redaction import redact
from tests.helpers.bot_api import TOKEN

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxfQ.s3cr3t-Signature_0"


@pytest.mark.parametrize(
    "text",
    [
        "password=s3cr3t host=db",
        "password='s3cr3t with spaces s3cr3t'",
        "{'password': 's3cr3t', 'username': 'anna'}",
        '{"new_password": "s3cr\\"s3cr3t", "username": "anna"}',
        '"{\\"password\\": \\"s3cr3t\\"}"',
        'b\'{"password":"s3cr3t"}\'',
        "<QueryDict: {'password': ['s3cr3t', 's3cr]s3cr3t'], 'username': ['anna']}>",
        "DJANGO_SUPERUSER_PASSWORD=s3cr3t",
        "POSTGRES_PASSWORD: s3cr3t",
        "https://example.org/?a=1&token=s3cr3t&b=2",
        "api_key=s3cr3t, API-Key: s3cr3t",
        "Authorization: Basic dXNlcjpzM2NyM3Q=s3cr3t",
        "Authorization: Token s3cr3t",
        "'HTTP_AUTHORIZATION': 'Bearer s3cr3t'",
        "('Authorization', 'Token s3cr3t')",
        "with the header Bearer s3cr3t",
        "Cookie: sessionid=s3cr3t; csrftoken=s3cr3t; theme=s3cr3t",
        "Set-Cookie: sessionid=s3cr3t; HttpOnly",
        "{'HTTP_COOKIE': 'csrftoken=s3cr3t; sessionid=s3cr3t'}",
        "postgres://incidents:s3cr3t@db:5432/incidents",
        "postgresql://incidents:s3cr3t@s3cr3t/s3cr3t@db/incidents",
        f"refused {JWT} as a token",
        f"HTTPSConnectionPool: /bot{TOKEN.replace('AAHd', 's3cr3t')}/sendMessage",
        "Failing row contains (1, pbkdf2_sha256$1000000$salt$s3cr3t=, anna)",
    ],
)
def test_secret_is_masked(text):
    assert "s3cr3t" not in redact(f"before {text}\nafter")
    assert redact(f"before {text}\nafter").startswith("before ")
    assert redact(f"before {text}\nafter").endswith("\nafter")


def test_other_text_stays():
    text = "GET https://example.org:8000/api/v1/incidents/?status=open said: token_not_valid, 12:30:45 anna@example.org"
    assert redact(text) == text


def test_secret_settings_are_masked(settings, monkeypatch):
    settings.SECRET_KEY = "the-secret-key"
    settings.TELEGRAM_BOT_TOKEN = "odd token"
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", "p ss/word")
    assert redact("the-secret-key odd token p ss/word p%20ss/word") == "*** *** *** ***"
