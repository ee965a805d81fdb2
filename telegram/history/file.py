"""The file that Telegram Desktop writes, as JSON: its writer has faults, and no byte of it may end an import."""

import codecs
import re
from typing import BinaryIO

# Bytes of an escaped surrogate pair; an escaped line separator with the bytes that follow it is shorter
LONGEST_ESCAPE = 12


class RepairedFile:
    r"""
    Reads a file for a JSON parser, and repairs it in passing, in constant memory.

    Desktop's writer (SerializeString in export_output_json.cpp) escapes a control character as `\x1F`, and U+2028 as
    `\u2028` with the last two of its three bytes behind it; U+2029 likewise. These are read as they were meant. What
    else is no UTF-8 or no JSON in a string is kept as far as it can be shown: bytes and lone surrogates become U+FFFD,
    control characters and backslashes are escaped.
    """

    # An escape that may go on in the next chunk
    _BEGUN = re.compile(
        rb"\\(?:x[0-9A-Fa-f]?|u[0-9A-Fa-f]{0,3}|u202[89]\x80?|u[dD][89abAB][0-9A-Fa-f]{2}(?:\\(?:u[0-9A-Fa-f]{0,3})?)?)?\Z"
    )
    _REPEATED_BYTES = re.compile(rb"(\\u202[89])\x80[\xa8\xa9]")
    # A string, whose end may stand in the next chunk, or what may not stand between strings
    _STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?P<end>"?)|[\x00-\x08\x0b\x0c\x0e-\x1f]', re.DOTALL)
    _ESCAPE = (
        r'\\["\\/bfnrt]'
        r"|\\u(?![dD][89a-fA-F])[0-9A-Fa-f]{4}"
        r"|\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}"
    )
    _IN_STRING = re.compile(
        rf"{_ESCAPE}"
        r"|\\u(?P<surrogate>[0-9A-Fa-f]{4})"
        r"|\\x(?P<code>[0-9A-Fa-f]{2})"
        r"|(?P<stray>[\\\x00-\x1f])"
    )
    # What needs no repair: strings, the last one without its end, and what may stand between them
    _VALID_STRING = rf'"[^"\\\x00-\x1f]*+(?:(?:{_ESCAPE})[^"\\\x00-\x1f]*+)*+'
    _BETWEEN = r'[^"\x00-\x08\x0b\x0c\x0e-\x1f]*+'
    _VALID = re.compile(rf'{_BETWEEN}(?:{_VALID_STRING}"{_BETWEEN})*+(?P<begun>{_VALID_STRING})?')

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._rest = b""
        self._in_string = False
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")

    def read(self, size: int = -1) -> bytes:
        """As of a binary file, but for the size: it may return more. `read(0)` is how ijson asks for the type."""
        while size and (chunk := self._file.read(size)):
            if repaired := self._repair(chunk, final=False):
                return repaired
        return self._repair(b"", final=True) if size else b""

    def _repair(self, chunk: bytes, *, final: bool) -> bytes:
        chunk, self._rest = self._rest + chunk, b""
        begun = None if final else self._BEGUN.search(chunk, max(0, len(chunk) - LONGEST_ESCAPE))
        while begun and _is_escaped(chunk, begun.start()):
            begun = self._BEGUN.search(chunk, begun.start() + 1)
        if begun:
            chunk, self._rest = chunk[: begun.start()], chunk[begun.start() :]
        text = self._decoder.decode(self._REPEATED_BYTES.sub(rb"\1", chunk), final)
        if not self._in_string:
            return self._repair_strings(text).encode()
        return self._repair_strings(f'"{text}')[1:].encode()

    def _repair_strings(self, text: str) -> str:
        if valid := self._VALID.fullmatch(text):
            self._in_string = valid["begun"] is not None
            return text
        return self._STRING.sub(self._repair_string, text)

    def _repair_string(self, found: re.Match[str]) -> str:
        if found["end"] is None:
            return " "
        self._in_string = not found["end"]
        return self._IN_STRING.sub(_valid, found[0])


def _is_escaped(chunk: bytes, index: int) -> bool:
    """Whether the backslash is the second of a pair."""
    return (index - len(chunk[:index].rstrip(b"\\"))) % 2 == 1


def _valid(found: re.Match[str]) -> str:
    if found["surrogate"]:
        return r"\ufffd"
    if found["code"]:
        return rf"\u00{found['code']}"
    if found["stray"]:
        return rf"\u{ord(found[0]):04x}"
    return found[0]
