"""What an operator reads on the pages of the admin, and what a browser sends of them."""

import html
from html.parser import HTMLParser
from typing import Any

from django.contrib.messages import get_messages
from django.test import Client
from django.utils.html import conditional_escape, strip_tags

INCIDENTS = "/api/admin/incidents/incident/"


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self.ids: list[str | None] = []
        self._select = self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        name = values.get("name") or ""
        if tag == "form":
            self.forms.append({})
            self.ids.append(values.get("id") or values.get("class"))
        elif tag == "input" and self.forms and name:
            self._add(name, values)
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in values and self.forms:
            self.forms[-1][self._select] = values.get("value") or ""
        elif tag == "textarea":
            self._text = name
            self.forms[-1][name] = ""

    def _add(self, name: str, attrs: dict[str, str | None]) -> None:
        is_checkbox = attrs.get("type") == "checkbox"
        if attrs.get("type") == "submit" or (is_checkbox and "checked" not in attrs):
            return
        value = attrs.get("value", "on" if is_checkbox else "")
        others = self.forms[-1].get(name, [])
        self.forms[-1][name] = [*([others] if isinstance(others, str) else others), value] if others else value

    def handle_data(self, data: str) -> None:
        if self._text:
            self.forms[-1][self._text] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            # Browsers leave out the line break that Django writes first.
            self.forms[-1][self._text] = self.forms[-1][self._text].removeprefix("\n").removeprefix("\r\n")
            self._text = ""


def form_of(page: Any, form_id: str = "incident_form") -> dict[str, Any]:
    """
    The fields of a form as the page shows them, hidden ones too: a list where a name has several values.

    A form without an id goes by its class.
    """
    parser = _Forms()
    parser.feed(page.content.decode())
    return parser.forms[parser.ids.index(form_id)]


def open_form(client: Client, path: str, form_id: str = "incident_form") -> dict[str, Any]:
    page = client.get(INCIDENTS + path)
    assert page.status_code == 200
    return form_of(page, form_id)


def told(response: Any) -> list[str]:
    """The messages, without the button that undoes."""
    texts = (
        conditional_escape(message.message).partition("<form")[0] for message in get_messages(response.wsgi_request)
    )
    return [html.unescape(strip_tags(text)).strip() for text in texts]


def undo(client: Client) -> Any:
    """The response to the button in the message above the list."""
    return client.post(f"{INCIDENTS}moves/", open_form(client, "", "undo"))
