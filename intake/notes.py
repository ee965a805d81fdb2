"""Notes on a delivery: stored as codes, shown in the language of the reader."""

from intake.parsers.types import Reason

SEPARATOR = ": "


def note(index: int | None, what: str, detail: str = "") -> str:
    """Writes a line: the number of the part, counted from 1, a Reason or the text of an error, and a detail."""
    part = "" if index is None else f"#{index + 1}"
    return SEPARATOR.join(filter(None, (part, str(what), detail))).replace("\n", " ")


def display(line: str) -> str:
    """Returns the line with the labels of its reasons."""
    return SEPARATOR.join(str(Reason(word).label) if word in Reason else word for word in line.split(SEPARATOR))
