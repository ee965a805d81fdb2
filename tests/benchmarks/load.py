"""
A load for a running service: `TOKEN=... python -m tests.benchmarks.load --url http://127.0.0.1:8000`.

Clients, each on one kept connection, ask for one operation after another as fast as they are answered. They record
and change incidents: this is not for a service in use.
"""

import argparse
import json
import math
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pycurl
from PIL import Image, ImageDraw, ImageFont

STATUSES = ("open", "in_progress", "resolved", "closed")
REPORT = {"description": "Самокат номер 875643 не в сети: последний сигнал у метро «Сокол»", "source": "operator"}


class Request(NamedTuple):
    method: str
    path: str  # below the list's
    fields: dict[str, str] = {}


class Result(NamedTuple):
    operation: str
    rate: float  # right answers per second
    p50: float  # milliseconds
    p99: float
    errors: int


class Client:
    # libcurl works outside Python's lock and takes little of the CPU that the service may share with it.
    def __init__(self, url: str, token: str) -> None:
        self.base = f"{url.rstrip('/')}/api/v1/incidents/"
        self.curl = pycurl.Curl()
        self.curl.setopt(pycurl.HTTPHEADER, [f"Authorization: Bearer {token}", "Content-Type: application/json"])
        self.curl.setopt(pycurl.NOPROXY, "*")
        self.curl.setopt(pycurl.NOSIGNAL, True)  # libcurl's condition for use in threads
        self.curl.setopt(pycurl.TIMEOUT, 60)

    def ask(self, request: Request) -> bytes:
        """The answer's body; raises ValueError where there is none or its status is another than success has."""
        self.curl.setopt(pycurl.URL, self.base + request.path)
        self.curl.setopt(pycurl.HTTPGET, True)  # forgets the last request's body
        if request.fields:
            self.curl.setopt(pycurl.POSTFIELDS, json.dumps(request.fields))
        self.curl.setopt(pycurl.CUSTOMREQUEST, request.method)
        try:
            body = self.curl.perform_rb()
        except pycurl.error as error:
            raise ValueError(error.args[1]) from None
        status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        if status != (201 if request.method == "POST" else 200):
            raise ValueError(f"{status} {body[:300].decode(errors='replace')}")
        return body

    def ask_and_check(self, request: Request) -> Any:
        """The answer's JSON; raises ValueError where it is not what was asked for."""
        answer = json.loads(self.ask(request))
        if rows := answer.get("results"):
            moments = [row["created_at"] for row in rows]
            right = len(rows) <= answer["count"] and moments == sorted(moments, reverse=True)
            right &= request.path != "?status=open" or {row["status"] for row in rows} == {"open"}
        else:
            right = request.path in ("", f"{answer.get('id')}/") and answer.items() >= request.fields.items()
        if not right:
            raise ValueError(f"not what was asked for: {request}")
        return answer


def measure(operation: str, request: Callable[[], Request], clients: list[Client], seconds: float) -> Result:
    """Raises ValueError for the first answer; from then on a wrong one is counted."""
    clients[0].ask_and_check(request())
    times: list[float] = []
    errors: list[ValueError] = []
    start = time.perf_counter()

    def work(client: Client) -> None:
        while True:
            try:
                client.ask(request())
                times.append(client.curl.getinfo(pycurl.TOTAL_TIME) * 1000)
            except ValueError as error:
                errors.append(error)
            if time.perf_counter() > start + seconds:
                return

    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(work, clients))
    rate = len(times) / (time.perf_counter() - start)
    ranked = sorted(times) or [math.nan]
    return Result(operation, rate, ranked[len(ranked) // 2], ranked[len(ranked) * 99 // 100], len(errors))


def operations(client: Client) -> Iterator[tuple[str, Callable[[], Request]]]:
    yield "create", lambda: Request("POST", "", REPORT)
    yield "list", lambda: Request("GET", "")
    yield "list_open", lambda: Request("GET", "?status=open")
    # Looked up only now: the service may have been empty.
    count = client.ask_and_check(Request("GET", ""))["count"]
    pages = random.choices(range(1, count // 1000 + 1) or [1], k=10)
    lists = [client.ask_and_check(Request("GET", f"?page_size=1000&page={page}")) for page in pages]
    ids = [row["id"] for each in lists for row in each["results"]]
    yield "get", lambda: Request("GET", f"{random.choice(ids)}/")
    yield "change", lambda: Request("PATCH", f"{random.choice(ids)}/", {"status": random.choice(STATUSES)})
    far = min(5000, math.ceil(count / 100))
    yield f"deep (page {far})", lambda: Request("GET", f"?page={far}")


def plot(title: str, results: list[Result], file: Path) -> None:
    image = Image.new("RGB", (1000, 90 + 50 * len(results)), "white")
    draw = ImageDraw.Draw(image)
    draw.text((30, 25), title, "#333333", ImageFont.load_default(24))
    draw.font = ImageFont.load_default(20)
    scale = 400 / max(result.rate for result in results)
    for y, result in enumerate(results):
        middle, end = 100 + 50 * y, 210 + scale * result.rate
        draw.text((195, middle), result.operation, "#333333", anchor="rm")
        draw.rectangle((210, middle - 16, end, middle + 16), "#4c72b0")
        figures = f"{result.rate:,.0f}/s   p50 {result.p50:.1f}   p99 {result.p99:.1f} ms"
        draw.text((end + 12, middle), figures, "#333333", anchor="lm")
    image.save(file)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=5, help="for each operation (5)")
    parser.add_argument("--connections", type=int, default=16, help="at once (16)")
    parser.add_argument("--plot", metavar="FILE.png", type=Path)
    given = parser.parse_args(arguments)
    token = os.environ.get("TOKEN") or parser.error("set TOKEN to an access token")

    results = []
    clients = [Client(given.url, token) for _ in range(given.connections)]
    print(f"{'':16}{'requests/s':>12}{'p50, ms':>10}{'p99, ms':>10}{'errors':>8}")
    try:
        for operation, request in operations(clients[0]):
            results.append(result := measure(operation, request, clients, given.seconds))
            print("{:16}{:12,.0f}{:10.1f}{:10.1f}{:8,}".format(*result), flush=True)
    except ValueError as error:
        sys.exit(f"Stopped: {error}")
    finally:
        for client in clients:
            client.curl.close()
    if any(result.errors for result in results):
        sys.exit("Wrong answers came: they are counted as errors, not as requests.")
    if given.plot:
        plot(f"Requests per second, {given.connections} connections, {date.today()}", results, given.plot)


if __name__ == "__main__":
    main()
