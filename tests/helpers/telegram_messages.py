"""Messages and updates as the Bot API sends them, and any JSON in their place."""

from typing import Any

from hypothesis import strategies as st

GROUP: dict[str, Any] = {"id": -1001234567890, "type": "supergroup", "title": "Ops"}
CHANNEL: dict[str, Any] = {"id": -1009876543210, "type": "channel", "title": "News", "username": "ops_news"}
ANNA: dict[str, Any] = {"id": 7000000001, "is_bot": False, "first_name": "Анна"}
BOT: dict[str, Any] = {"id": 5000000001, "is_bot": True, "first_name": "Reports", "username": "our_bot"}
DATE = 1705314600  # 2024-01-15T10:30:00Z


def message(**fields: Any) -> dict[str, Any]:
    sent = {"message_id": 10, "chat": GROUP, "from": ANNA, "date": DATE} | fields
    return {key: value for key, value in sent.items() if value is not None}


def paragraphs(*texts: Any) -> dict[str, Any]:
    return {"blocks": [{"type": "paragraph", "text": text} for text in texts]}


# Strings of any code points: NUL and lone surrogates, which json.loads accepts, among them.
strings = st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF), max_size=20)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | strings | st.sampled_from([2**63, -(10**30), 0, -1])


def json_values(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    names = keys | strings
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6), max_leaves=25
    )
