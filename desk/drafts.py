"""
What a person typed into a form of the admin, where a log-in is needed before it can be saved.

The log-in page carries it, signed, so that nothing is stored for strangers; after the log-in the session keeps it until
the form is shown again. It is never saved unseen: someone else may have logged in.
"""

from typing import Any

from django.core import signing
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext_lazy as _

SALT = SESSION_KEY = "core.drafts"  # an older path: sessions have drafts by it
TOKEN = "csrfmiddlewaretoken"  # noqa: S105  # the name of a field
MAX_CHARACTERS = 200_000
NOT_SAVED = _("What you typed is not saved yet: you were logged out in between. Check it, then save it.")


def sign(request: HttpRequest) -> str:
    """Signs the fields of a form that was sent, and its address; "" if no page of ours sent it, or it is too long."""
    fields = request.POST.copy()
    if (
        fields.pop(TOKEN, None) is None
        or sum(len(value) for _name, values in fields.lists() for value in values) > MAX_CHARACTERS
    ):
        return ""
    return signing.dumps([request.get_full_path(), fields.urlencode()], salt=SALT, compress=True)


def keep(request: HttpRequest, signed: str) -> str | None:
    """Keeps the form for this user; returns its address, where it is shown again, or None if it was not signed here."""
    try:
        draft: list[str] = signing.loads(signed, salt=SALT)
    except signing.BadSignature:
        return None
    request.session[SESSION_KEY] = draft
    return draft[0]


def take(request: HttpRequest) -> QueryDict | None:
    """Takes out the fields that are to be shown again in this page's form, once."""
    draft: Any = request.session.get(SESSION_KEY)
    if request.method != "GET" or not draft or draft[0] != request.get_full_path():
        return None
    del request.session[SESSION_KEY]
    return QueryDict(draft[1])
