"""
Answers to people, who wait for them: to the press of a button, to a link code.

They are sent in threads, so that a slow answer holds back neither the updates that are stored nor the webhook's
response. They are worth something for seconds only: none is repeated, or kept when the process ends.
"""

import logging
import threading
from typing import Any

from telegram.bot_api import client

logger = logging.getLogger(__name__)

TIMEOUT = (3, 5)  # seconds
MAX_THREADS = 100

type Call = tuple[str, dict[str, Any]]  # the method and its parameters

_lock = threading.Lock()
_waiting: dict[int | str, Call | None] = {}  # by whom it is for; None while the latest answer is being sent


def send(recipient: int | str, method: str, params: dict[str, Any]) -> None:
    """
    Sends an answer at once, or after the one that is under way to the same recipient, of whose answers the last counts.

    Returns before it is sent, and raises nothing.
    """
    with _lock:
        is_new = recipient not in _waiting
        if is_new and len(_waiting) >= MAX_THREADS:
            logger.warning("%s was left out: %d answers are under way", method, MAX_THREADS)
            return
        _waiting[recipient] = (method, params)
    if is_new:
        threading.Thread(target=_run, args=[recipient], name="telegram-answer", daemon=True).start()


def _run(recipient: int | str) -> None:
    while True:
        with _lock:
            call = _waiting[recipient]
            if call is None:
                del _waiting[recipient]
                return
            _waiting[recipient] = None
        try:
            client.request(*call, timeout=TIMEOUT)
        except client.TelegramError as exc:
            if "query is too old" not in exc.description:
                logger.warning("An answer was not sent: %s", exc)
        except Exception:
            logger.exception("An answer was not sent")
