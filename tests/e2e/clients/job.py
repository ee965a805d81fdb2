"""
The job that each client does, as one table of steps.

A client is a program of this folder. From each line of its standard input it reads a call, and writes what came of it
as a line of JSON: the parsed response, or the error as its types name it. A new one is a file, and a function in
test_clients.py that makes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PASSWORD = "correct horse battery"
FIELDS = {"id", "description", "status", "source", "created_at", "updated_at"}

type Seen = dict[str, Any]  # what came of earlier steps, by the names that they keep it under


@dataclass(frozen=True)
class Step:
    what: str
    call: str
    arguments: Callable[[Seen], dict[str, Any]]
    right: Callable[[Any, Seen], bool]
    keep: str = "_"


def error(status: int, code: str, attr: str | None = None) -> Callable[[Any, Seen], bool]:
    return lambda out, seen: out == {"status": status, "code": code, "attr": attr}


def report(seen: Seen, number: int) -> dict[str, Any]:
    return {
        "description": f"Самокат {number} не в сети 👍 {seen['client']}",
        "source": "operator",
        "key": f"{seen['client']}-{number}",
    }


def page(seen: Seen, number: int) -> dict[str, Any]:
    filters = {"created_after": seen["first"]["incident"]["created_at"], "status": ["open", "resolved"]}
    return {**filters, "search": seen["client"], "page": number, "page_size": 1}


def first(seen: Seen) -> dict[str, Any]:
    return {"id": seen["first"]["incident"]["id"]}


STEPS = [
    Step("a wrong token", "use_token", lambda seen: {"token": "wrong"}, lambda out, seen: out is None),
    Step("is a typed 401", "read", lambda seen: {"id": 1}, error(401, "401 token_not_valid")),
    Step(
        "log in",
        "log_in",
        lambda seen: {"username": "petrova", "password": PASSWORD},
        lambda out, seen: out["access"].count(".") == 2,
        keep="tokens",
    ),
    Step(
        "renew the token, and check the new one",
        "renew",
        lambda seen: {"refresh": seen["tokens"]["refresh"]},
        lambda out, seen: out["access"].count(".") == 2,
    ),
    Step(
        "record",
        "record",
        lambda seen: report(seen, 1),
        lambda out, seen: (
            out["incident"].keys() == FIELDS
            and out["incident"]["status"] == "open"
            and out["etag"]
            and not out["replayed"]
        ),
        keep="first",
    ),
    Step(
        "record again: the first response",
        "record",
        lambda seen: report(seen, 1),
        lambda out, seen: out == seen["first"] | {"replayed": True},
    ),
    Step(
        "another body under the same key",
        "record",
        lambda seen: report(seen, 1) | {"description": "x"},
        error(422, "422 idempotency_key_reused"),
    ),
    Step(
        "a blank description",
        "record",
        lambda seen: report(seen, 1) | {"description": " "},
        error(400, "blank", "description"),
    ),
    Step(
        "record another", "record", lambda seen: report(seen, 2), lambda out, seen: not out["replayed"], keep="second"
    ),
    Step(
        "list from a date, page 1",
        "list",
        lambda seen: page(seen, 1),
        lambda out, seen: (
            out["count"] == 2 and out["results"] == [seen["second"]["incident"]] and "page=2" in out["next"]
        ),
    ),
    Step(
        "page 2",
        "list",
        lambda seen: page(seen, 2),
        lambda out, seen: out["results"] == [seen["first"]["incident"]] and out["next"] is None and out["previous"],
    ),
    Step("page 3 does not exist", "list", lambda seen: page(seen, 3), error(404, "404 not_found")),
    Step(
        "read",
        "read",
        first,
        lambda out, seen: out == {"incident": seen["first"]["incident"], "etag": seen["first"]["etag"]},
    ),
    Step(
        "change",
        "change",
        lambda seen: first(seen) | {"status": "in_progress", "if_match": seen["first"]["etag"]},
        lambda out, seen: out["incident"]["status"] == "in_progress" and out["etag"] != seen["first"]["etag"],
    ),
    Step(
        "change what was changed in the meantime",
        "change",
        lambda seen: first(seen) | {"status": "closed", "if_match": seen["first"]["etag"]},
        error(412, "412 precondition_failed"),
    ),
    Step(
        "comment",
        "comment",
        lambda seen: first(seen) | {"text": "Выехал механик"},
        lambda out, seen: out["channel"] == "api" and out["changes"] == {"comment": [None, "Выехал механик"]},
    ),
    Step(
        "history",
        "history",
        first,
        lambda out, seen: (
            [sorted(entry["changes"]) for entry in out["results"]]
            == [["description", "source", "status"], ["status"], ["comment"]]
            and out["results"][1]["changes"] == {"status": ["open", "in_progress"]}
            and {(entry["actor"], entry["channel"]) for entry in out["results"]} == {("petrova", "api")}
        ),
    ),
    Step("what does not exist is a typed 404", "read", lambda seen: {"id": 2**40}, error(404, "404 not_found")),
    Step(
        "name oneself",
        "name_oneself",
        lambda seen: {"first_name": f"Анна {seen['client']}"},
        lambda out, seen: (
            (out["username"], out["first_name"], out["email"])
            == ("petrova", f"Анна {seen['client']}", "petrova@example.org")
        ),
        keep="oneself",
    ),
    Step("list users", "users", lambda seen: {}, lambda out, seen: out["results"] == [seen["oneself"]]),
    Step(
        "delete oneself with a wrong password",
        "delete_oneself",
        lambda seen: {"password": "wrong"},
        error(400, "invalid_password", "current_password"),
    ),
]


def walk(client: str, call: Callable[..., Any]) -> None:
    seen: Seen = {"client": client}
    for step in STEPS:
        out = call(step.call, **step.arguments(seen))
        assert step.right(out, seen), f"{step.what}: {out}"
        seen[step.keep] = out
