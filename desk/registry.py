"""
What the apps above know for the desk's pages. The desk imports none of them.

Their admin modules append to these lists, which are shown in the order of INSTALLED_APPS.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from django.db.models import Model, Q
from django.http import HttpRequest

from incidents.models import Incident

ORIGINS_SHOWN = 10


class Origin(NamedTuple):
    """Where an incident came from, or where it is shown."""

    place: str
    what: str
    url: str | None = None


class Failures(NamedTuple):
    """Rows that wait for a person. The board shows their number to users who may view them."""

    label: Any  # a lazy translation
    model: type[Model]
    condition: Q
    filters: dict[str, Any]  # the parameters by which the model's list shows them


# At most ORIGINS_SHOWN of a kind
origins: list[Callable[[HttpRequest, Incident], Iterable[Origin]]] = []
failures: list[Failures] = []
