"""Tables and the plot of the samples."""

from collections.abc import Callable, Iterable
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.measure import OPERATIONS, Sample

TITLES = {contender.name: contender.title for contender in CONTENDERS}
HEADINGS = {
    "list": "list of 100",
    "list_open": "`?status=open`",
    "get": "get",
    "change": "change",
    "create": "create",
    "deep": "page 5000",
}


def typical(samples: Iterable[Sample], value: Callable[[Sample], float]) -> float:
    """The median of the fair samples, or of all where none is fair."""
    samples = list(samples)
    return median(map(value, [sample for sample in samples if sample.fair] or samples))


def select(samples: Iterable[Sample], **wanted: Any) -> list[Sample]:
    return [s for s in samples if all(getattr(s, name) == value for name, value in wanted.items())]


def names(samples: Iterable[Sample], attribute: str) -> list[Any]:
    """The attribute's distinct values, in the order of the samples."""
    return list(dict.fromkeys(map(attrgetter(attribute), samples)))


def details(samples: list[Sample]) -> str:
    """A table of one operation among one number of rows."""
    lines = [
        f"{'':18}{'req/s':>8}{'spread':>8}{'p50 ms':>9}{'p99 ms':>9}"
        f"{'CPU ms':>9}{'PG ms':>9}{'nginx ms':>9}{'idle':>6}{'other':>7}  held"
    ]
    for name in names(samples, "contender"):
        own = select(samples, contender=name)
        rate = typical(own, attrgetter("rate"))
        rates = [sample.rate for sample in own]
        columns = [typical(own, attrgetter(value)) for value in ("p50", "p99")]
        cpu = [typical(own, attrgetter(value)) for value in ("server_cpu", "postgres_cpu", "nginx_cpu")]
        notes = [f"{sum(not sample.fair for sample in own)} unfair", f"{sum(sample.errors for sample in own)} errors"]
        lines.append(
            f"{name:18}{rate:8.0f}{(max(rates) - min(rates)) / max(rate, 1e-9):8.0%}"
            + "".join(f"{value:9.2f}" for value in columns)
            + "".join(f"{value:9.3f}" for value in cpu)
            + f"{typical(own, attrgetter('idle')):6.0%}{typical(own, attrgetter('other')):7.0%}"
            + f"  {':'.join(map(str, own[-1].held)):6} {', '.join(note for note in notes if note[0] != '0')}"
        )
    return "\n".join(lines)


def ratio(samples: list[Sample], base: str, other: str) -> float:
    """Median over the rounds of the base's rate by the other's in the same round, of fair pairs where there are any."""
    others = {sample.round: sample for sample in select(samples, contender=other)}
    pairs = [(s, others[s.round]) for s in select(samples, contender=base) if s.round in others]
    pairs = [pair for pair in pairs if pair[0].fair and pair[1].fair] or pairs
    return median(first.rate / max(second.rate, 1e-9) for first, second in pairs)


def ratios(samples: list[Sample]) -> str:
    """How many times faster the first contender is than each of the others."""
    base, *others = names(samples, "contender")
    operations = names(samples, "operation")
    lines = [f"{'':18}" + "".join(f"{operation:>11}" for operation in operations)]
    for other in others:
        values = (ratio(select(samples, operation=operation), base, other) for operation in operations)
        lines.append(f"{other:18}" + "".join(f"{value:10.2f}x" for value in values))
    return "\n".join(lines)


def markdown(samples: list[Sample], servers: dict[str, str], value: Callable[[Sample], float], form: str) -> str:
    """A row for each contender with its server; a cell has the values of all numbers of rows, ascending."""
    operations = [operation for operation in HEADINGS if select(samples, operation=operation)]
    lines = [
        f"| | server | {' | '.join(HEADINGS[operation] for operation in operations)} |",
        "|---" * (len(operations) + 2) + "|",
    ]
    for name in names(samples, "contender"):
        cells = []
        for operation in operations:
            own = select(samples, contender=name, operation=operation)
            sizes = sorted(names(own, "rows"))
            cells.append(" / ".join(format(typical(select(own, rows=rows), value), form) for rows in sizes))
        lines.append(f"| {TITLES[name]} | {servers[name]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(samples: list[Sample], servers: dict[str, str], heading: str, file: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    sizes, contenders = sorted(names(samples, "rows")), names(samples, "contender")
    figure, axes = pyplot.subplots(len(sizes), 1, figsize=(14, 5 * len(sizes)), squeeze=False)
    width = 0.8 / len(contenders)
    for axis, rows in zip(axes[:, 0], sizes, strict=True):
        operations = [operation for operation in OPERATIONS if select(samples, rows=rows, operation=operation)]
        for position, name in enumerate(contenders):
            own = [select(samples, rows=rows, operation=operation, contender=name) for operation in operations]
            rates = [typical(some, attrgetter("rate")) if some else 0 for some in own]
            bars = axis.bar(
                [place + (position - (len(contenders) - 1) / 2) * width for place in range(len(operations))],
                rates,
                0.95 * width,
                label=f"{TITLES[name].replace('*', '')}, {servers[name]}",
                color=pyplot.cm.Reds(0.75 - 0.25 * position)
                if name.startswith("service")
                else pyplot.cm.Blues(0.3 + 0.65 * position / len(contenders)),
            )
            axis.bar_label(bars, [f"{rate:,.0f}" for rate in rates], rotation=90, padding=3, fontsize=8)
        axis.set(xticks=range(len(operations)), xticklabels=operations, yscale="log")
        axis.set(ylabel="requests per second (log scale)", title=f"{rows:,} incidents")
        axis.set(ylim=(1, axis.get_ylim()[1] * 3))
        axis.spines[["top", "right"]].set_visible(False)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=3, frameon=False, loc="lower center")
    figure.suptitle(heading)
    figure.tight_layout(rect=(0, 0.1 / len(sizes) + 0.04, 1, 1))
    figure.savefig(file, dpi=120)
