"""Who acts on incidents, in the domain's own words: a user, a sender, a Telegram author, a command."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Actor(Protocol):
    """
    Named by a SELECT, so that on PostgreSQL the statement that writes can check the actor in passing.

    `sql` gives one row (username), or none where the actor may not act.
    """

    sql: str

    @property
    def params(self) -> Mapping[str, Any]: ...

    def accept(self, username: str | None) -> str:
        """The username that a statement found with `sql`; raises where it found none."""
        ...

    def check(self) -> str:
        """The username, by a query of its own where it is not known yet. Raises like `accept`."""
        ...


class Reader(Protocol):
    """A client that must be checked before anything is shown to it: by `check`, or by the SELECT given to `fetch`."""

    def check(self) -> str: ...

    def fetch(self, sql: str, params: Mapping[str, Any], *, prepare: bool | None = None) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True)
class Named:
    """An actor that needs no check, by its name: at most 150 characters."""

    username: str
    sql = "SELECT %(actor)s::varchar AS username"

    @property
    def params(self) -> Mapping[str, Any]:
        return {"actor": self.username}

    def accept(self, username: str | None) -> str:
        return self.username

    def check(self) -> str:
        return self.username
