"""
Reads large JSON piece by piece, so that its objects are never in memory all at once.

20 MB of `{"alerts":[{},{},…]}` are 500 MB of Python objects. Instead the events of ijson are read, and values are built
of them up to a number. Its `items` are not used: they build each value whole, and a prefix for each level of it. Only
the items of a list that are small are decoded whole, one after the other.
"""

import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import Any, NoReturn

import ijson

MAX_VALUES = 500_000  # of an object; nothing that a system reports has as many in 20 MB
MAX_DEPTH = 900  # somewhat less than the json module reads
MAX_CHECKED_EVENTS = 250_000  # a tenth of a second; a call of Alertmanager with as many has 6 MB at least
# Bytes. yajl begins a string anew with each buffer: one of 20 MB takes two seconds with this, and minutes
# by 8 KB. The events of a buffer are in memory at once, 31 MB at most.
BUFFER_SIZE = 1024 * 1024
# More digits than Python converts: the json module refuses them as well.
MAX_DIGITS = 4300
HUGE_NUMBER = re.compile(rb"[:,\[\s-]\d{%d}" % MAX_DIGITS)
WINDOW_SIZE = 256 * 1024  # characters
WHITE_SPACE = re.compile(r"[ \t\n\r]++")


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _finite(text: str) -> float:
    return value if isfinite(value := float(text)) else _refuse(text)


DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)  # as ijson, without NaN
STARTS, ENDS = ("start_map", "start_array"), ("end_map", "end_array")

type Events = Iterator[tuple[str, Any]]


def is_object(body: bytes) -> bool:
    """
    Returns whether the body is a JSON object, as far as MAX_CHECKED_EVENTS tell: all would take a request too long.

    Raises ValueError if it is no JSON, RecursionError.
    """
    events = islice(_events(body), MAX_CHECKED_EVENTS)
    if next(events)[0] != "start_map":
        return False
    try:
        _skip(events)
    except _UnfinishedError:
        return True
    _expect_the_end(events)
    return True


def read(body: bytes, *, lazy: str = "") -> tuple[Any, bool]:
    """
    Returns the JSON object in the body, None if it is none, and whether values were left out because it has too many.

    If its member `lazy` is a list, then that is an iterator, whose items are read as they are asked for: in a body that
    was read to its end before. Raises ValueError if it is no JSON, RecursionError.
    """
    if lazy:
        with suppress(RecursionError, ValueError):
            return _read_windows(body, lazy), False
    events = _events(body)
    if next(events)[0] != "start_map":
        return None, False
    payload: dict[str, Any] = {}
    builder = _Builder(events)
    for key, (event, value) in _members(events):
        if key == lazy and event == "start_array":
            payload[key] = [] if _skip(events) == 1 else _items(body, key)
        else:
            builder.add(payload, key, event, value)
    _expect_the_end(events)
    return payload, builder.left == 0


def _read_windows(body: bytes, lazy: str) -> dict[str, Any]:
    """Returns the object like `read`. Raises ValueError, RecursionError where it is no JSON, or has large values."""
    window, size = _Window(body), 0
    payload: dict[str, Any] = {}
    for key in window.members():
        if key == lazy and window.peek() == "[":
            has_items = False
            for _item in window.items():
                has_items = True
            payload[key] = _items(body, key) if has_items else []
        else:
            payload[key], length = window.value()
            size += length
            if size > WINDOW_SIZE:
                raise ValueError
    if window.peek():
        raise ValueError
    return payload


def _items(body: bytes, name: str) -> Iterator[Any]:
    """Returns the items of a list which is a member of the object. The body was read to its end before."""
    done = 0
    try:
        window = _Window(body)
        for key in window.members():
            if key == name and window.peek() == "[":
                for item in window.items():
                    yield item
                    done += 1
            else:
                window.value()
    except ValueError:  # a value is large
        yield from islice(_build_items(body, name), done, None)


class _Window:
    """
    JSON of which a part is text at a time, so that the json module decodes each value in it: that is five times as fast
    as to build it of events. Raises ValueError for values that are larger than WINDOW_SIZE, or perhaps too deep.
    """

    def __init__(self, body: bytes) -> None:
        self.rest = io.TextIOWrapper(io.BytesIO(body), "utf-8", newline="")
        self.text, self.at = "", 0

    def members(self) -> Iterator[str]:
        """Yields the keys of an object; the caller reads the values."""
        self._expect("{")
        for _ in self._steps("}"):
            if self.peek() != '"':
                raise ValueError
            key, _length = self.value()
            self._expect(":")
            yield key

    def items(self) -> Iterator[Any]:
        self._expect("[")
        for _ in self._steps("]"):
            yield self.value()[0]

    def value(self) -> tuple[Any, int]:
        """Returns the next value and its number of characters."""
        self.peek()
        start = self.at
        value, self.at = DECODER.raw_decode(self.text, start)
        # At the end of the text a part of a number may be missing.
        if self.at == len(self.text) or sum(self.text.count(bracket, start, self.at) for bracket in "[{") > MAX_DEPTH:
            raise ValueError
        return value, self.at - start

    def peek(self) -> str:
        """Returns the first character behind white space, "" at the end."""
        if len(self.text) - self.at < WINDOW_SIZE and (more := self.rest.read(WINDOW_SIZE)):
            self.text, self.at = self.text[self.at :] + more, 0
        if skipped := WHITE_SPACE.match(self.text, self.at):
            self.at = skipped.end()
        if self.at == len(self.text) and self.rest.read(1):  # a window of white space
            raise ValueError
        return self.text[self.at : self.at + 1]

    def _steps(self, end: str) -> Iterator[None]:
        """Yields before each item of the list or object, and goes past its end."""
        if self.peek() != end:
            yield
            while self.peek() == ",":
                self.at += 1
                yield
        self._expect(end)

    def _expect(self, character: str) -> None:
        if self.peek() != character:
            raise ValueError
        self.at += 1


def _build_items(body: bytes, name: str) -> Iterator[Any]:
    events = _events(body)
    next(events)
    for key, (event, value) in _members(events):
        if key == name and event == "start_array":
            for event, value in iter(events.__next__, ("end_array", None)):
                item: list[Any] = []
                _Builder(events).add(item, None, event, value)
                yield item[0]
        elif event in STARTS:
            _skip(events)


def _events(body: bytes) -> Events:
    # At every byte the pattern would take longer than all the rest. So long a number covers one of these.
    for at in range(0, len(body), MAX_DIGITS):
        if body[at : at + 1].isdigit() and HUGE_NUMBER.search(body, max(0, at - MAX_DIGITS), at + MAX_DIGITS + 1):
            raise ValueError
    try:
        yield from ijson.basic_parse(io.BytesIO(body), buf_size=BUFFER_SIZE)
    except (ijson.JSONError, ArithmeticError) as exc:  # a number may be too large even for Decimal
        raise ValueError(str(exc)) from None


def _members(events: Events) -> Iterator[tuple[str, tuple[str, Any]]]:
    """Returns the keys of an object that was begun, each with the first event of its value, which the caller reads."""
    for _event, key in iter(events.__next__, ("end_map", None)):
        yield key, next(events)


def _skip(events: Events) -> int:
    """Reads the rest of a list or object that was begun; returns the number of its events, its end among them."""
    depth = 1
    for count, (event, _value) in enumerate(events, start=1):
        if event in STARTS:
            depth += 1
            if depth > MAX_DEPTH:
                raise RecursionError
        elif event in ENDS:
            depth -= 1
            if depth == 0:
                return count
    raise _UnfinishedError


class _UnfinishedError(Exception):
    pass


def _expect_the_end(events: Events) -> None:
    """Raises ValueError if anything follows."""
    for _event in events:
        raise ValueError


class _Builder:
    """Builds MAX_VALUES values of events; those of further values are read and left out."""

    def __init__(self, events: Events) -> None:
        self.events = events
        self.left = MAX_VALUES

    def add(self, parent: Any, key: Any, event: str, value: Any) -> None:
        """Adds the value that begins with this event to the list, or to the dict by its key. Raises RecursionError."""
        parents: list[Any] = []  # of the list or object that is being read; None for what is left out
        while True:
            if event == "map_key":
                key = value
            elif event in ENDS:
                parent = parents.pop()
            else:
                node = self._add(parent, key, event, value)
                if event in STARTS:
                    parents.append(parent)
                    parent = node
                    if len(parents) > MAX_DEPTH:
                        raise RecursionError
            if not parents:
                return
            event, value = next(self.events)

    def _add(self, parent: Any, key: Any, event: str, value: Any) -> Any:
        if parent is None or not self.left:
            return None
        self.left -= 1
        if event in STARTS:
            value = {} if event == "start_map" else []
        elif isinstance(value, Decimal):
            value = float(value)
        if isinstance(parent, dict):
            parent[key] = value
        else:
            parent.append(value)
        return value
