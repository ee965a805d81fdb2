"""Checks that the contenders' responses agree, before they are measured."""

import random
from datetime import datetime
from typing import Any

from tests.benchmarks.contenders import Instance
from tests.benchmarks.processes import FailedError

FIELDS = {"id", "description", "status", "source", "created_at", "updated_at"}
STATUSES = ("open", "in_progress", "resolved", "closed")


def verify(instance: Instance) -> int:
    """The size in bytes of the first page; raises FailedError with the first rule that does not hold."""

    def require(holds: bool, rule: str) -> None:
        if not holds:
            raise FailedError(f"wrong response: {rule}")

    def get(path: str = "") -> Any:
        status, body, _ = instance.request("GET", path)
        require(status == 200, f"GET {path} must be 200, is {status}")
        return body

    rows = instance.rows
    require(instance.request("GET", token=False)[0] in (401, 403), "a request without a token must be refused")
    status, page, size = instance.request("GET")
    require(status == 200 and {"count", "next", "previous"} <= page.keys(), "the list must be a page")
    require(page["count"] == rows, f"count must be {rows}, is {page['count']}")
    results = page["results"]
    require(len(results) == 100 and results[0].keys() == FIELDS, f"the page must have 100 rows of {sorted(FIELDS)}")
    created = [datetime.fromisoformat(row["created_at"]) for row in results + get("?page=2")["results"]]
    require(len(created) == 200 and created == sorted(created, reverse=True), "rows must come newest first")
    counts = {status: get(f"?status={status}")["count"] for status in STATUSES}
    require(sum(counts.values()) == rows, f"the counts {counts} must add up to {rows}")
    require({row["status"] for row in get("?status=open")["results"]} == {"open"}, "the filter must hold")
    for number in random.choices(range(1, rows + 1), k=30):
        require(get(f"{number}/")["id"] == number, "ids must be 1 to the number of rows")
    require(instance.request("GET", f"{rows * 10 + 7}/")[0] == 404, "an unknown id must be 404")
    invalid = {"description": "x", "source": "unknown"}
    require(instance.request("POST", "", invalid)[0] in (400, 422), "an unknown source must be refused")

    status, made, _ = instance.request("POST", "", {"description": "Проверка", "source": "operator"})
    require(status == 201 and made.keys() == FIELDS and made["status"] == "open", "create must be 201 and the row")
    page = get()
    require(page["count"] == rows + 1, "the new row must be counted")
    require(page["results"][0]["id"] == made["id"], "the new row must come first")
    status, changed, _ = instance.request("PATCH", f"{made['id']}/", {"status": "closed"})
    require(status == 200 and changed["status"] == "closed", "change must be 200 and the row")
    require(get(f"{made['id']}/")["status"] == "closed", "get must have the change")
    require(get("?status=open")["count"] == counts["open"], "the count of open rows must follow a change")
    return size
