"""Work in bulk, each path beside the fastest way that there is to do the same: `make bench ARGS=--bulk`."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import NamedTuple, Protocol

from tests.benchmarks.postgres import Postgres

PARTS = ("storm", "history", "export", "webhooks", "memory", "board", "single", "replicas")
LONG_PARTS = ("scale", "capacity")  # only where they are named


class Comparison(NamedTuple):
    """A path and its limit, two functions that each do the work once and return a figure in `unit`."""

    name: str
    unit: str
    ours: Callable[[], float]
    limit: Callable[[], float]
    goal: str  # of ours divided by the limit


class Part(Protocol):
    """A module of this package."""

    def prepare(self, postgres: Postgres, directory: Path) -> AbstractContextManager[list[Comparison]]:
        """Starts what the comparisons need, in databases of its own. Raises FailedError."""


def run(postgres: Postgres, directory: Path, parts: Collection[str], rounds: int) -> None:
    """Prints a row for each comparison: medians of the rounds, in which both sides take turns."""
    print("| path | limit | ours | ratio | goal |\n|---|---|---|---|---|", flush=True)
    for name in parts:
        home = directory / name
        home.mkdir()
        part: Part = import_module(f"{__name__}.{name}")
        with part.prepare(postgres, home) as comparisons:
            for comparison in comparisons:
                print(_row(comparison, rounds), flush=True)


def _row(comparison: Comparison, rounds: int) -> str:
    pairs = []
    for number in range(rounds):
        # The one that goes first finds other caches than the second.
        sides = (comparison.ours, comparison.limit) if number % 2 else (comparison.limit, comparison.ours)
        figures = {side: side() for side in sides}
        pairs.append((figures[comparison.limit], figures[comparison.ours]))
    limit, ours = map(median, zip(*pairs, strict=True))
    ratio = median(ours / limit for limit, ours in pairs)
    unit = comparison.unit
    return f"| {comparison.name} | {limit:,.4g} {unit} | {ours:,.4g} {unit} | {ratio:.2f} | {comparison.goal} |"
