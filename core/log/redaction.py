"""Masks secrets in log messages and alerts."""

import re
from urllib.parse import quote

from django.conf import settings

HIDDEN = "***"
SHORTEST_SECRET = 4  # characters; masking shorter ones would mask ordinary words


def _any_spelling(word: str) -> str:
    """Returns a pattern of the word with any of its letters percent-encoded, more than once too."""
    return "".join(rf"(?:{letter}|%(?:25)*(?:{ord(letter):x}|{ord(letter.upper()):x}))" for letter in word)


_WORD, _NAMES = settings.SECRET_PATHS
_BEFORE_SECRET = rf"(?<!admin/){_any_spelling(_WORD)}"
_SECRET_IN_PATH = re.compile(rf"({_BEFORE_SECRET})(.+)", re.IGNORECASE | re.DOTALL)
# In a text: not the files of a traceback. A path may contain spaces, so the rest of the line is masked, too.
_SECRET_IN_TEXT = re.compile(
    rf"({_BEFORE_SECRET}(?:[/\\]|%(?:25)*2f)+)(?!(?:{'|'.join(_NAMES)})/?(?:[\s\"'>?]|$))(?![\w/]+\.(?:py|html)\b)"
    r"[^/\"'>?\r\n][^\"'>?\r\n]*",
    re.IGNORECASE,
)
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


def redact_path(path: str, known: str = "") -> str:
    """Returns the path without what may be a secret. `known` is a name that is none."""

    def mask(match: re.Match[str]) -> str:
        word, rest = match.groups()
        name, slash, secret = rest.lstrip("/").partition("/")
        if name in (known, *_NAMES):
            return f"{word}/{name}{slash}{HIDDEN if secret else ''}"
        return word + (f"/{HIDDEN}" if name or secret else rest)

    return _SECRET_IN_PATH.sub(mask, path)


def redact(text: str) -> str:
    """Returns the text without passwords, tokens, cookies and the secrets among the settings."""
    for secret in _secrets():
        text = text.replace(secret, HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return _SECRET_IN_TEXT.sub(rf"\1{HIDDEN}", text)


def _secrets() -> list[str]:
    passwords = [str(database.get("PASSWORD") or "") for database in settings.DATABASES.values()]
    secrets = [settings.SECRET_KEY, settings.TELEGRAM_BOT_TOKEN, *passwords, *map(quote, passwords)]
    return [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
