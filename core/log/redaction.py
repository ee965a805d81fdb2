"""Masks secrets in log messages and alerts."""

import re
from urllib.parse import quote

from django.conf import settings

HIDDEN = "***"
SHORTEST_SECRET = 4  # characters; masking shorter ones would mask ordinary words

_SECRET_PATHS = re.compile(settings.SECRET_PATHS)
_KEY = r"(?:pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|private[_-]?key|sessionid|csrf)[\w-]{0,40}"
_SEPARATOR = r"""\\*["']?\s*(?:[:=]|(?<=["']),)\s*"""
_STRING = r"""\\+"[^"]*"|\\+'[^']*'|[bru]?"(?:[^"\\]|\\.)*"?|[bru]?'(?:[^'\\]|\\.)*'?"""
_VALUE = rf"[\[(]\s*(?:{_STRING})(?:,\s*(?:{_STRING}))*|{_STRING}"  # a string, or a list of strings as in a QueryDict
_PATTERNS = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # Authorization: Token x; the value goes to the end of the line, or of its quotes
        (rf"((?:authorization|cookie){_SEPARATOR})(?:{_VALUE}|[^\r\n]+)", rf"\1{HIDDEN}"),
        # {'new_password': 'x'}, POSTGRES_PASSWORD=x
        (rf"({_KEY}{_SEPARATOR})(?:{_VALUE}|[^\s,;&)\]}}\"']+)", rf"\1{HIDDEN}"),
        # Bearer x
        (r"\b(bearer\s+)[\w.~+/=-]+", rf"\1{HIDDEN}"),
        # Basic dXNlcjp4
        (r"\b(basic\s+)[\w+/=]{8,}", rf"\1{HIDDEN}"),
        # postgres://user:x@db
        (r"(://[^\s:/@]{0,100}:)\S{1,300}@", rf"\1{HIDDEN}@"),
        # a JWT: eyJhbGciOiJ9.eyJ1c2VyX2lk.c2ln
        (r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?", HIDDEN),
        # a bot's token: 110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1
        (r"(?<!\d)\d{5,20}:[\w-]{30,}", HIDDEN),
        # a password's hash: pbkdf2_sha256$1000000$salt$x
        (r"\b(?:pbkdf2|argon2|bcrypt|scrypt)\w*\$[^\s,;)'\"]+", HIDDEN),
    )
]


def redact_path(path: str) -> str:
    """The path with the secrets masked that SECRET_PATHS matches."""
    return _SECRET_PATHS.sub(rf"\1{HIDDEN}", path)


def redact(text: str) -> str:
    """The text without passwords, tokens, cookies and the secrets among the settings."""
    for secret in _secrets():
        text = text.replace(secret, HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return redact_path(text)


def _secrets() -> list[str]:
    passwords = [str(database.get("PASSWORD") or "") for database in settings.DATABASES.values()]
    secrets = [settings.SECRET_KEY, settings.TELEGRAM_BOT_TOKEN, *passwords, *map(quote, passwords)]
    return [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
