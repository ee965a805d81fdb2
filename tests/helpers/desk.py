"""What an operator reads on the pages of the admin."""

import html
from typing import Any

from django.contrib.messages import get_messages
from django.utils.html import conditional_escape, strip_tags


def told(response: Any) -> list[str]:
    """The messages, without the button that undoes."""
    texts = (
        conditional_escape(message.message).partition("<form")[0] for message in get_messages(response.wsgi_request)
    )
    return [html.unescape(strip_tags(text)).strip() for text in texts]
