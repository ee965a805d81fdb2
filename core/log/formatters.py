"""Log formatters: text for a console, JSON for programs."""

import json
import logging
import traceback
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import orjson

from core.log import context as log
from core.log.redaction import redact

# No line shows them: https://docs.python.org/3/howto/logging.html#optimization
# Not logProcesses: this holds for gunicorn's own lines too, which show the process.
logging.logThreads = logging.logMultiprocessing = False
logging.logAsyncioTasks = False  # type: ignore[attr-defined]


def message_of(record: logging.LogRecord) -> str:
    message = record.getMessage()
    # The access log line contains only method, path and status.
    return message if record.name == log.logger.name else redact(message)


def traceback_of(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    return "".join(traceback.format_exception(record.exc_info[1]))


class JSONFormatter(logging.Formatter):
    """One JSON object per line, with secrets masked."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": message_of(record),
        }
        if context := log.current_context.get():
            entry["request_id"] = context.request_id
            if context.job:
                entry["job"] = context.job
            else:
                entry |= {"user": context.user, "method": context.method, "path": context.path}
            if hasattr(record, "status"):
                entry["status"] = record.status
            entry["duration_ms"] = context.milliseconds()
        if record.exc_info:
            entry["traceback"] = redact(traceback_of(record))
        try:
            return orjson.dumps(entry, option=orjson.OPT_UTC_Z).decode()
        except TypeError:  # a lone surrogate, which UTF-8 cannot encode
            return json.dumps(entry, default=str)


CONTROL_CHARACTERS = {code: f"\\x{code:02x}" for code in chain(range(0x20), range(0x7F, 0xA0))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


class ConsoleFormatter(logging.Formatter):
    """A line of text and an indented traceback. Control characters are escaped: input cannot forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{record.levelname:<7} {record.name}: {message_of(record)}"
        if context := log.current_context.get():
            line += f" [{context.milliseconds()} ms, {context.job or context.user or '-'}, {context.request_id}]"
        lines = [f"{datetime.fromtimestamp(record.created):%H:%M:%S} {line}"]
        if record.exc_info:
            lines += [f"    {line}" for line in redact(traceback_of(record)).rstrip("\n").split("\n")]
        return "\n".join(line.translate(CONTROL_CHARACTERS) for line in lines)
