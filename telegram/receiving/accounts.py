"""Telegram accounts of users, linked by a one-time code that the user sends to the bot in private; who an author is."""

import hashlib
import re
import secrets
import unicodedata
from datetime import timedelta
from functools import reduce
from itertools import permutations
from operator import or_

from django.db import transaction
from django.db.models import Q, Value
from django.db.models.functions import Replace, Upper
from django.utils import timezone

from identity.models import User
from identity.usernames import username_key
from incidents.actors import Named
from incidents.text import INVISIBLE
from telegram.models import Account, LinkCode
from telegram.reading.authors import AUTHOR_MAX_LENGTH, Author
from telegram.reading.values import shortened

LIFETIME = timedelta(hours=1)
MARK = " (Telegram)"
MAX_WORDS = 4  # of a full name
_INVISIBLE = re.compile(f"(?! )[{INVISIBLE}]")
_REVERSED = re.compile("[\u202d\u202e]")  # overrides of direction: the letters behind them may read 1rotarepo
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_USERNAME = re.compile(r"[\w@.+-]+")


def new_code(user: User) -> str:
    """Makes a code for `/start CODE`; the user's earlier one stops working."""
    code = secrets.token_urlsafe(16)
    values = {"code_hash": _hash(code), "expires_at": timezone.now() + LIFETIME}
    LinkCode.objects.update_or_create(user=user, defaults=values)
    return code


@transaction.atomic
def link_account(code: str, author: Author | None) -> User | None:
    """Links the author's account to the user whose code it is; returns None for a wrong code or a shared account."""
    found = LinkCode.objects.select_for_update().filter(
        code_hash=_hash(code), expires_at__gt=timezone.now(), user__is_active=True
    )
    link = found.first()
    if link is None or author is None or author.user_id is None:
        return None
    Account.objects.update_or_create(telegram_id=author.user_id, defaults={"user": link.user})
    link.delete()
    return link.user


def actor_of(author: Author) -> Named:
    """Returns the active user that the author's account is linked to, else the author's name in Telegram."""
    linked = Account.objects.filter(telegram_id=author.user_id, user__is_active=True) if author.user_id else None
    username = linked.values_list("user__username", flat=True).first() if linked is not None else None
    return Named(username or outside_name(author.name))


def outside_name(name: str) -> str:
    """
    Returns the name of an author who is no user, with MARK where it could be taken for a user's.

    Everyone chooses their name in Telegram. The history knows users by their usernames, and no username has a space.
    """
    name = _REVERSED.sub("", name)
    visible = unicodedata.normalize("NFKC", _INVISIBLE.sub("", name))
    words = _DASHES.sub("-", visible).split()
    is_marked = any(map(_mixes_alphabets, words)) or (len(words) == 1 and _is_like_username(words[0]))
    if is_marked or _is_of_user(words):
        return shortened(name, AUTHOR_MAX_LENGTH - len(MARK)) + MARK
    return name


def _mixes_alphabets(word: str) -> bool:
    """Whether it may look like a word of one alphabet; Japanese mixes scripts that do not look alike."""
    alphabets = {unicodedata.name(letter, "?").split()[0] for letter in word if letter.isalpha()}
    return len(alphabets) > 1 and not alphabets.isdisjoint(("LATIN", "CYRILLIC", "GREEK"))


def _is_like_username(word: str) -> bool:
    """Whether it could be a username, that of a later user too; not a first name, such as Анна."""
    is_first_name = word.isalpha() and not word[0].islower()
    return bool(_USERNAME.fullmatch(word)) and not is_first_name


def _is_of_user(words: list[str]) -> bool:
    """Whether it is the username or the full name of a user."""
    upper = [word.upper().replace("Ё", "Е") for word in words[:MAX_WORDS]]
    if len(words) == 1:
        either = [Q(username_key=username_key(words[0])), Q(last=upper[0], first=""), Q(last="", first=upper[0])]
    else:
        either = [Q(last=last, first=first) for last, first in permutations(upper, 2)]
    # Not iexact, which on SQLite knows the case of ASCII letters alone.
    names = {"last": "last_name", "first": "first_name"}
    users = User.objects.annotate(
        **{name: Replace(Upper(field), Value("Ё"), Value("Е")) for name, field in names.items()}
    )
    return bool(either) and users.filter(reduce(or_, either)).exists()


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()
