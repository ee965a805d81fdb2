"""What must not be shown: in log lines, in alerts, and in what is said of their failures."""

import re
from urllib.parse import quote

from django.conf import settings

HIDDEN = "***"
SHORTEST_SECRET = 4  # characters; to hide shorter ones would hide every other word

_SECRET_PATHS = re.compile(settings.SECRET_PATHS)
_NAME = r"(?:pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|private[_-]?key|sessionid|csrf)[\w-]{0,40}"
_TO = r"""\\*["']?\s*(?:[:=]|(?<=["']),)\s*"""
_ONE = r"""\\+"[^"]*"|\\+'[^']*'|[bru]?"(?:[^"\\]|\\.)*"?|[bru]?'(?:[^'\\]|\\.)*'?"""
_QUOTED = rf"[\[(]\s*(?:{_ONE})(?:,\s*(?:{_ONE}))*|{_ONE}"  # one, or a list of them as QueryDict has
_PATTERNS = [
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # a header's value goes to the end of its line, or of its quotes
        (rf"((?:authorization|cookie){_TO})(?:{_QUOTED}|[^\r\n]+)", rf"\1{HIDDEN}"),
        (rf"({_NAME}{_TO})(?:{_QUOTED}|[^\s,;&)\]}}\"']+)", rf"\1{HIDDEN}"),
        (r"\b(bearer\s+)[\w.~+/=-]+", rf"\1{HIDDEN}"),
        (r"\b(basic\s+)[\w+/=]{8,}", rf"\1{HIDDEN}"),
        (r"(://[^\s:/@]{0,100}:)\S{1,300}@", rf"\1{HIDDEN}@"),
        (r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?", HIDDEN),
        (r"(?<!\d)\d{5,20}:[\w-]{30,}", HIDDEN),  # a bot's token
        (r"\b(?:pbkdf2|argon2|bcrypt|scrypt)\w*\$[^\s,;)'\"]+", HIDDEN),  # a password's hash
    )
]


def redact_path(path: str) -> str:
    """The path without the secrets that SECRET_PATHS finds."""
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
