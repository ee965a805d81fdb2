"""Who acts on incidents, in the domain's own words: a user, a sender, a Telegram author, a command."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Actor(Protocol):
    """
    The author of a change.

    `sql` selects the username, or no row if the actor may not act: on PostgreSQL the statement that writes embeds it.
    """

    sql: str

    @property
    def params(self) -> Mapping[str, Any]: ...

    def accept(self, username: str | None) -> str:
        """Returns the username that a statement found with `sql`; raises if it found none."""
        ...

    def check(self) -> str:
        """Returns the username, by a query of its own unless it is known. Raises like `accept`."""
        ...


class Reader(Protocol):
    """A client that must be checked before anything is shown to it: by `check`, or by the SELECT given to `fetch`."""

    def check(self) -> str: ...

    def fetch(self, sql: str, params: Mapping[str, Any], *, prepare: bool | None = None) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True)
class Named:
    """An actor that needs no check, with a name of at most 150 characters."""

    username: str
    sql = "SELECT %(actor)s::varchar AS username"

    @property
    def params(self) -> Mapping[str, Any]:
        return {"actor": self.username}

    def accept(self, username: str | None) -> str:
        return self.username

    def check(self) -> str:
        return self.username
