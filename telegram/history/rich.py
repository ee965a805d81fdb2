"""
Rich messages as Telegram Desktop exports them, in the form that the Bot API has for them.

Desktop 7 writes `rich_message` in place of `text`, in a form of its own (SerializeRichMessage in
export_output_json.cpp). https://core.telegram.org/bots/api#richmessage is what it becomes here.
"""

from typing import Any

from telegram.reading.rich import MAX_DEPTH
from telegram.reading.values import dictionary, integer, sequence, string

Fields = dict[str, Any]

MEDIA = {
    "animation": "animation",
    "audio_file": "audio",
    "video_file": "video",
    "video_message": "video",
    "voice_message": "voice_note",
}
BLOCKS = {"photo": "photo", "video": "video", "audio": "audio", "file": "document"}


def rich_message(exported: object) -> Fields:
    return {"blocks": _blocks(dictionary(exported).get("blocks"), 0)}


def _blocks(blocks: object, depth: int) -> list[Fields]:
    # Deeper blocks than `flatten` shows are left to it.
    return [_block(dictionary(block), depth + 1) for block in sequence(blocks)] if depth <= MAX_DEPTH else [{}]


def _block(block: Fields, depth: int) -> Fields:
    kind = string(block.get("type"))
    text = _text(block.get("text"), depth)
    inner = _blocks(block.get("blocks"), depth)
    match kind:
        case "code":
            return {"type": "pre", "text": text}
        case "author_date":
            return _paragraph(_text(block.get("author"), depth))
        case "math":
            return {"type": "mathematical_expression", "expression": block.get("formula")}
        case "list":
            return {"type": "list", "items": _items(block, depth)}
        case "quote":
            credit = _text(block.get("caption"), depth)
            if block.get("pullquote") is True:
                return {"type": "pullquote", "text": text, "credit": credit}
            return {"type": "blockquote", "blocks": inner or [_paragraph(text)], "credit": credit}
        case "photo" | "video" | "audio" | "file":
            medium = MEDIA.get(string(block.get("media_type")), BLOCKS[kind])
            file = {"file_name": block.get("file_name"), "duration": block.get("duration_seconds")}
            file |= {"performer": block.get("performer"), "title": block.get("title")}
            return {"type": medium, medium: file, "caption": _caption(block, depth)}
        case "cover":
            return _block(dictionary(block.get("block")), depth + 1) if depth <= MAX_DEPTH else {}
        case "collage" | "slideshow":
            return {"type": kind, "blocks": _blocks(block.get("items"), depth), "caption": _caption(block, depth)}
        case "map" | "input_map":
            return {"type": "map", "location": block.get("geo"), "caption": _caption(block, depth)}
        case "table":
            rows = [sequence(dictionary(row).get("cells")) for row in sequence(block.get("rows"))]
            cells = [[{"text": _text(dictionary(cell).get("text"), depth)} for cell in row] for row in rows]
            return {"type": "table", "cells": cells, "caption": _text(block.get("title"), depth)}
        case "details":
            return {"type": "details", "summary": _text(block.get("title"), depth), "blocks": inner}
        case "button_row":
            return {"type": "buttons", "buttons": [_button(each, depth) for each in sequence(block.get("buttons"))]}
        # The Bot API has no such blocks.
        case "embed" | "embed_post":
            caption = dictionary(_caption(block, depth))
            words = [_paragraph(each) for each in (block.get("author"), block.get("url")) if each]
            return {"type": "details", "blocks": [*words, *inner, _paragraph(caption.get("text"))]}
        case "channel":
            channel = dictionary(block.get("channel"))
            username = string(channel.get("username"))
            return _paragraph([string(channel.get("title")), f" (https://t.me/{username})" if username else ""])
        case "related_articles":
            articles = [_article(dictionary(each)) for each in sequence(block.get("articles"))]
            return {"type": "details", "summary": _text(block.get("title"), depth), "blocks": articles}
        case _:
            return {"type": kind or None, "text": text, "blocks": inner}


def _items(block: Fields, depth: int) -> list[Fields]:
    items = []
    is_ordered = block.get("kind") == "ordered"
    number = integer(block.get("start"))
    number = 1 if number is None else number
    for item in map(dictionary, sequence(block.get("items"))):
        value = integer(item.get("value"))
        number = number if value is None else value
        label = string(item.get("num")) or str(number)
        number += -1 if block.get("reversed") is True else 1
        state = item.get("task_state")
        blocks = _blocks(item.get("blocks"), depth) or [_paragraph(_text(item.get("text"), depth))]
        items.append(
            {
                "label": f"{label.rstrip('.')}." if is_ordered else "•",
                "blocks": blocks,
                "has_checkbox": state in ("checked", "unchecked"),
                "is_checked": state == "checked",
            }
        )
    return items


def _article(article: Fields) -> Fields:
    words = {"type": "url", "text": string(article.get("title")), "url": article.get("url")}
    description = string(article.get("description"))
    return _paragraph([words, f"\n{description}" if description else ""])


def _caption(block: Fields, depth: int) -> Fields:
    caption = dictionary(block.get("caption"))
    return {"text": _text(caption.get("text"), depth), "credit": _text(caption.get("credit"), depth)}


def _button(button: object, depth: int) -> Fields:
    fields = dictionary(button)
    return {"text": _text(fields.get("text"), depth), "url": dictionary(fields.get("button")).get("url")}


def _paragraph(text: object) -> Fields:
    return {"type": "paragraph", "text": text}


def _text(text: object, depth: int) -> Any:
    """A RichText: a string, a list, or an element around another."""
    if depth > MAX_DEPTH:
        return "[…]" if text else ""
    if isinstance(text, list):
        return [_text(part, depth + 1) for part in text]
    if not isinstance(text, dict):
        return string(text)
    inner = _text(text.get("text"), depth + 1)
    match text.get("type"):
        case "empty":
            return ""
        case "plain" | "concat":
            return inner
        case "text_link":
            return {"type": "url", "text": inner, "url": text.get("href")}
        case "custom_emoji":
            return {"type": "custom_emoji", "alternative_text": inner}
        case "math":
            return {"type": "mathematical_expression", "expression": text.get("source")}
        case "inline_image":
            return string(text.get("sticker_emoji")) or inner
        case "button":
            return {"type": "button", "button": _button(text, depth + 1)}
        case kind:
            return {"type": kind, "text": inner}
