"""The rules of a description's text: its length, its line breaks, and what is blank."""

import re

DESCRIPTION_MAX_LENGTH = 20_000

# Code points that show nothing by themselves: the categories Cc, Cf, Zs, Zl, Zp, whatever is Default_Ignorable, blank
# letters, and combining marks without a letter. Written out, since Python's regular expressions have no \p{…}.
INVISIBLE = (
    r"\u0000-\u0020\u007f-\u00a0\u00ad"  # control characters, spaces, soft hyphen
    r"\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"  # combining marks
    r"\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"  # Arabic and Syriac format characters
    r"\u115f\u1160\u3164\uffa0\u2800"  # Hangul fillers, braille blank
    r"\u1680\u17b4\u17b5\u180b-\u180f"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufe00-\ufe0f\ufeff\ufff0-\ufffb"  # spaces, marks of direction, BOM
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)

_BLANK = re.compile(f"[{INVISIBLE}]*")
_LINE_BREAK = re.compile("\r\n?")


def normalize_line_breaks(text: str) -> str:
    """Makes `\\n` of `\\r\\n`, as forms send, and of `\\r`."""
    return _LINE_BREAK.sub("\n", text)


def is_blank(text: str) -> bool:
    return _BLANK.fullmatch(text) is not None
