"""Plain text of a rich message (https://core.telegram.org/bots/api#richmessage)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from telegram.reading.values import Fields, dictionary, integer, line, sequence, shortened, string

MAX_DEPTH = 32  # Telegram allows 16 levels


@dataclass
class RichText:
    """
    What `flatten` returns: the text, its inline elements in order, and the types of blocks that are not known.

    `has_media` tells whether there are photos, files or places among the blocks.
    """

    text: str = ""
    has_media: bool = False
    elements: list[Fields] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)


def flatten(rich_message: object, medium: Callable[[Fields], str]) -> RichText:
    """
    Reads the text of the blocks in their order, a paragraph for each.

    `medium` names a block's photo, file or place. A block of an unknown type leaves a mark beside the text in it.
    """
    flattened = RichText()
    if blocks := dictionary(rich_message).get("blocks"):
        flattened.text = _Writer(flattened, medium).blocks(blocks, 0)
    return flattened


class _Writer:
    def __init__(self, result: RichText, medium: Callable[[Fields], str]) -> None:
        self.result = result
        self.medium = medium

    def blocks(self, blocks: object, depth: int, separator: str = "\n") -> str:
        if depth > MAX_DEPTH:
            return "[…]"
        parts = (self.block(block, depth + 1) for block in sequence(blocks))
        return separator.join(part for part in parts if part)

    def block(self, block: object, depth: int) -> str:
        if isinstance(block, str):
            return string(block)
        fields = dictionary(block)
        match fields.get("type"):
            case "paragraph" | "heading" | "pre" | "footer" | "thinking":
                return self.text(fields.get("text"), depth)
            case "divider":
                return "———"
            case "anchor":
                return ""
            case "mathematical_expression":
                return string(fields.get("expression"))
            case "list":
                return "\n".join(self.list_item(item, depth) for item in sequence(fields.get("items")))
            case "blockquote":
                return self.quotation(self.blocks(fields.get("blocks"), depth), fields, depth)
            case "pullquote" | "expandable_blockquote":
                return self.quotation(self.text(fields.get("text"), depth), fields, depth)
            case "collage" | "slideshow":
                return self.captioned(self.blocks(fields.get("blocks"), depth), fields, depth)
            case "table":
                rows = [self.row(row, depth) for row in sequence(fields.get("cells"))]
                return "\n".join([*rows, *self.present(self.text(fields.get("caption"), depth))])
            case "details":
                summary, inner = self.text(fields.get("summary"), depth), self.blocks(fields.get("blocks"), depth)
                return "\n".join([*self.present(summary), *self.present(inner)])
            case "map" | "animation" | "audio" | "document" | "photo" | "video" | "voice_note":
                self.result.has_media = True
                return self.captioned(self.medium(fields), fields, depth)
            case "buttons":
                return "\n".join(f"[{self.button(button, depth)}]" for button in sequence(fields.get("buttons")))
            case kind:
                name = shortened(line(kind), 100) or "?"
                self.result.unknown.add(name)
                mark = _("[block of an unknown kind: %s]") % name
                inner = self.text(fields.get("text"), depth) or self.blocks(fields.get("blocks"), depth)
                return "\n".join([mark, *self.present(inner)])

    @staticmethod
    def present(text: str) -> Iterator[str]:
        if text:
            yield text

    def list_item(self, item: object, depth: int) -> str:
        fields = dictionary(item)
        label = string(fields.get("label")) or "•"
        if fields.get("has_checkbox") is True:
            label += " [x]" if fields.get("is_checked") is True else " [ ]"
        return f"{label} " + self.blocks(fields.get("blocks"), depth).replace("\n", "\n  ")

    def quotation(self, text: str, fields: Fields, depth: int) -> str:
        return "\n".join([quoted(text), *self.credit(fields, depth)])

    def captioned(self, text: str, fields: Fields, depth: int) -> str:
        caption = dictionary(fields.get("caption"))
        words = self.text(caption.get("text"), depth)
        return "\n".join([*self.present(text), *self.present(words), *self.credit(caption, depth)])

    def credit(self, fields: Fields, depth: int) -> Iterator[str]:
        if credit := self.text(fields.get("credit"), depth):
            yield f"— {credit}"

    def row(self, row: object, depth: int) -> str:
        return " | ".join(self.text(dictionary(cell).get("text"), depth) for cell in sequence(row))

    def button(self, button: object, depth: int) -> str:
        fields = dictionary(button)
        return with_address(self.text(fields.get("text"), depth), string(fields.get("url")))

    def text(self, text: object, depth: int) -> str:
        """Reads a RichText: a string, a list, or an element around another RichText."""
        if isinstance(text, str):
            return string(text)
        if depth > MAX_DEPTH:
            return "[…]" if text else ""
        if isinstance(text, list):
            return "".join(self.text(part, depth + 1) for part in text)
        if not isinstance(text, dict):
            return ""
        self.result.elements.append(text)
        match text.get("type"):
            case "custom_emoji":
                return string(text.get("alternative_text"))
            case "mathematical_expression":
                return string(text.get("expression"))
            case "button":
                return f"[{self.button(text.get('button'), depth + 1)}]"
            case "url":
                return with_address(self.text(text.get("text"), depth + 1), string(text.get("url")))
            case _:
                return self.text(text.get("text"), depth + 1)


def with_address(words: str, url: str) -> str:
    """Adds its address to the words of a link, unless they are the address."""
    return words if url in ("", words) else f"{words} ({url})".lstrip()


def linked(message: Fields, text_field: str, entities_field: str) -> str:
    """Reads a text, with the address of each link behind its words."""
    text = string(message.get(text_field))
    links = {}
    for entity in map(dictionary, sequence(message.get(entities_field))):
        offset, length = integer(entity.get("offset")), integer(entity.get("length"))
        if entity.get("type") == "text_link" and offset is not None and length is not None and min(offset, length) >= 0:
            links[offset] = (offset + length, string(entity.get("url")))
    if not links:
        return text
    # Offsets and lengths are in UTF-16 code units.
    encoded, parts, shown = text.encode("utf-16-le"), [], 0
    for start, (end, url) in sorted(links.items()):
        if start >= shown:
            words = encoded[2 * start : 2 * end].decode("utf-16-le", "replace")
            parts += [encoded[2 * shown : 2 * start].decode("utf-16-le", "replace"), with_address(words, url)]
            shown = end
    return "".join([*parts, encoded[2 * shown :].decode("utf-16-le", "replace")])


def quoted(text: str) -> str:
    """Marks each line of a text as quoted."""
    return "\n".join(f"> {each}" for each in text.splitlines())
