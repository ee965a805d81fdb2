"""The handler of the log file."""

import logging
import os
import sys
from contextlib import suppress
from functools import partial
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import IO


class JSONLinesHandler(WatchedFileHandler):
    """
    Appends to a file that several processes write and logrotate renames.

    RotatingFileHandler loses lines as soon as two processes rotate. Here no process does: a line is one write to a file
    opened with O_APPEND, so that lines neither mix nor overwrite each other, and each process opens the new file once
    the old one was renamed. Only logrotate's copytruncate could lose lines.
    """

    stream: IO[bytes] | None  # type: ignore[assignment]

    def __init__(self, filename: str) -> None:
        super().__init__(filename, mode="ab", delay=True)
        self.failing = False

    def _open(self) -> IO[bytes]:  # type: ignore[override]
        path = Path(self.baseFilename)
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        # Lines contain usernames and paths, so the file is not world-readable.
        return open(path, "ab", buffering=0, opener=partial(os.open, mode=0o640))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode() + b"\n"
            self.reopenIfNeeded()
            if self.stream is None:
                self.stream = self._open()
                self._statstream()
            self.stream.write(line)
            self.failing = False
        except OSError as exc:
            # A request must not fail for its log line. A full disk fails every line: report it once.
            if not self.failing:
                self.failing = True
                with suppress(Exception):
                    print(f"Cannot write the log {self.baseFilename}: {exc.strerror}", file=sys.stderr, flush=True)
        except Exception:
            self.handleError(record)
