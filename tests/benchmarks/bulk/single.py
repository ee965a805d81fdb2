"""Single requests through nginx, beside a bare function on the same server."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.benchmarks.bulk import Comparison
from tests.benchmarks.contenders import CONTENDERS, Instance
from tests.benchmarks.fill import fill_peers, fill_service
from tests.benchmarks.measure import take_sample
from tests.benchmarks.postgres import Postgres

ROWS = 1000
SECONDS = 3
GOALS = {"list": "≥ 0.9", "get": "≥ 0.85", "change": "≥ 0.8", "create": "≥ 0.8"}


@contextmanager
def prepare(postgres: Postgres, directory: Path) -> Iterator[list[Comparison]]:
    templates = {"service": "single_service", "bare": "single_peers"}
    tokens = {
        "service": fill_service(postgres, templates["service"], ROWS),
        "bare": fill_peers(postgres, templates["bare"], templates["service"]),
    }
    instances = {
        each.name: Instance(each, postgres, ROWS, directory / each.name, tokens[each.name], through_nginx=True)
        for each in CONTENDERS
        if each.name in templates
    }
    try:
        for name, instance in instances.items():
            instance.start(templates[name])
            take_sample(instance, "list", 0, 1)  # warms up
        yield [
            Comparison(
                f"{operation}, through nginx",
                "requests/s",
                partial(rate, instances["service"], operation),
                partial(rate, instances["bare"], operation),
                goal,
            )
            for operation, goal in GOALS.items()
        ]
    finally:
        for instance in instances.values():
            instance.stop()


def rate(instance: Instance, operation: str) -> float:
    for _ in range(3):
        sample = take_sample(instance, operation, 0, SECONDS)
        if sample.fair:
            break
    return sample.rate
