"""
A Bot API server that keeps to the documented limits (https://core.telegram.org/bots/api), in this process.

`with BotAPI() as api:` serves on `api.url`. Tests act as people do (`write`, `press`, `deliver`, `upload`), look at
`calls` and `messages`, and let single calls fail (`fail`, `lose`; `damage` for files, whose download counts as the
method `download`). Its clock is `api.now`, in seconds, and `api.watch` is called at each point of a call: functions
that a test may replace.
"""

import itertools
import json
import random
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any, Self
from urllib.parse import quote

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1"
BOT: dict[str, Any] = {"id": 110201543, "is_bot": True, "first_name": "Reports", "username": "our_bot"}
DAY = 24 * 3600
QUERY_LIFETIME = 15 * 60
FILE_LIMIT = 20 << 20  # MAX_DOWNLOAD_FILE_SIZE of https://github.com/tdlib/telegram-bot-api
# What is delivered where allowed_updates was never named
NOT_BY_DEFAULT = {"chat_member", "message_reaction", "message_reaction_count"}


class RefusedError(Exception):
    """A response with an error."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        self.status = status
        prefix = {400: "Bad Request: ", 403: "Forbidden: ", 409: "Conflict: "}.get(status, "")
        self.body = {"ok": False, "error_code": status, "description": prefix + description}
        if parameters:
            self.body["parameters"] = parameters


class RawError(Exception):
    """A response of any kind."""

    def __init__(self, status: int, body: Any) -> None:
        self.status, self.body = status, body


class LostError(Exception):
    """The connection ends without a response; `done` tells whether the call took effect."""

    def __init__(self, *, done: bool) -> None:
        self.done = done


class DamageError(Exception):
    """A file comes otherwise: `body`, with the headers given; then the connection ends. `pause` is before each byte."""

    def __init__(self, body: bytes, *, pause: float = 0, headers: dict[str, str] | None = None) -> None:
        self.body, self.pause, self.headers = body, pause, headers or {}


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class BotAPI(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *, host: str = "127.0.0.1", seed: int = 0, limits: bool = False) -> None:
        super().__init__((host, 0), _Handler)
        self.url = f"http://{host}:{self.server_port}"
        self.token = TOKEN
        self.me = BOT | {"can_join_groups": True, "can_read_all_group_messages": True}
        self.now: Callable[[], float] = time.time
        # With a point, a method, its parameters and, but for the first point, its result: "asked", nothing has happened
        # yet; "done", it took effect; "half", of a download; "responded". It may raise LostError.
        self.watch: Callable[[str, str, dict[str, Any], Any], None] = lambda *call: None
        self.limits = limits
        self.chance = random.Random(seed)
        self.lock = threading.Condition()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.messages: dict[tuple[int, int], dict[str, Any]] = {}  # by chat and message id; what the bot sent
        self.foreign: set[tuple[int, int]] = set()  # messages of others, to which the bot may reply
        self.answers: list[dict[str, Any]] = []  # to presses
        self.chats: dict[int, dict[str, Any]] = {}
        self.members: dict[int, str] = defaultdict(lambda: "member")  # the bot's status
        self.migrated: dict[int, int] = {}
        self.topics: dict[tuple[int, int], str] = {}  # "open", "closed"
        self.queries: dict[str, float] = {}
        self.files: dict[str, dict[str, Any]] = {}  # by file_id: file_path, and the content
        self.webhook: dict[str, Any] = {"url": ""}
        self.allowed_updates: list[str] | None = None
        self._updates: deque[tuple[float, dict[str, Any]]] = deque()
        self._update_id = self.chance.randrange(10**8, 10**9)
        self._update_at = self.now()
        self._ids: dict[int, itertools.count] = defaultdict(lambda: itertools.count(1000))
        self._faults: dict[str, deque[Exception]] = defaultdict(deque)
        self._sent: list[tuple[float, int]] = []
        self._polls = 0

    def __enter__(self) -> Self:
        super().__enter__()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.stop_polls()
        self.shutdown()
        super().__exit__(*exc)

    # What people and Telegram do

    def add_chat(self, chat: dict[str, Any]) -> None:
        self.chats[chat["id"]] = chat

    def write(self, kind: str = "message", **message: Any) -> dict[str, Any]:
        """Delivers a message, as of a chat's member; its chat is known from then on."""
        self.add_chat(message["chat"])
        self.foreign.add((message["chat"]["id"], message["message_id"]))
        return self.deliver(kind, message)

    def press(self, message: dict[str, Any], data: str, user: dict[str, Any]) -> str:
        """Of a button under a message that the bot sent. Returns the id of the callback query."""
        query = str(self.chance.randrange(10**17, 10**18))
        self.queries[query] = self.now()
        pressed = {"id": query, "from": user, "message": message, "chat_instance": "1", "data": data}
        self.deliver("callback_query", pressed)
        return query

    def upload(self, content: bytes, folder: str = "documents", **fields: Any) -> dict[str, Any]:
        """A file for a message; `fields` are those of its kind."""
        number = len(self.files)
        file_id, unique_id = f"BQACAgIAAxkBAAI{number}", f"AgAD{number}"
        path = f"{folder}/file_{number}.bin"
        self.files[file_id] = {"file_unique_id": unique_id, "file_path": path, "content": content}
        return {"file_id": file_id, "file_unique_id": unique_id, "file_size": len(content)} | fields

    def deliver(self, kind: str, payload: Any) -> dict[str, Any]:
        """The update; it waits unless `allowed_updates` leaves its kind out."""
        with self.lock:
            # After a week without updates the next id is chosen randomly.
            if self.now() - self._update_at > 7 * DAY:
                self._update_id = self.chance.randrange(10**8, 10**9)
            self._update_id += 1
            self._update_at = self.now()
            update = {"update_id": self._update_id, kind: payload}
            allowed = self.allowed_updates
            if kind in allowed if allowed else kind not in NOT_BY_DEFAULT:
                self._updates.append((self.now(), update))
            self.lock.notify_all()
            return update

    def migrate(self, old: int, new: int) -> None:
        """The group becomes a supergroup; no update tells of it."""
        self.migrated[old] = new
        self.add_chat(self.chats[old] | {"id": new, "type": "supergroup"})

    @property
    def pending(self) -> list[dict[str, Any]]:
        with self.lock:
            while self._updates and self.now() - self._updates[0][0] > DAY:
                self._updates.popleft()
            return [update for _, update in self._updates]

    def push(self, post: Callable[[bytes, dict[str, str]], int]) -> list[int]:
        """
        Sends what waits to the webhook, oldest first, until one is refused. Returns the statuses.

        `post` takes the body and the headers, and returns the status of the response.
        """
        statuses = []
        for update in self.pending:
            secret = self.webhook.get("secret_token")
            headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
            statuses.append(post(json.dumps(update).encode(), headers))
            if not 200 <= statuses[-1] < 300:
                break
            self._confirm(update["update_id"] + 1)
        return statuses

    # What tests arrange and look at

    def fail(self, method: str, status: int, description: str = "", **parameters: int) -> None:
        """The next call of the method that has no failure yet is refused."""
        self._faults[method].append(RefusedError(status, description, **parameters))

    def lose(self, method: str, *, done: bool = True) -> None:
        """Of the next such call the response is lost, whether it took effect or not."""
        self._faults[method].append(LostError(done=done))

    def damage(self, body: bytes, **options: Any) -> None:
        """The next download ends early, or is another one: see DamageError."""
        self._faults["download"].append(DamageError(body, **options))

    def called(self, method: str) -> list[dict[str, Any]]:
        """The parameters of each call of a method so far."""
        return [params for name, params in list(self.calls) if name == method]

    def wait_for(self, condition: Callable[[], Any], seconds: float = 10) -> None:
        """Until a call makes it true. Raises AssertionError."""
        with self.lock:
            assert self.lock.wait_for(condition, seconds), self.calls

    def stop_polls(self) -> None:
        """Ends long polls that wait, as another getUpdates does."""
        with self.lock:
            self._polls += 1
            self.lock.notify_all()

    # Responses

    def respond(self, token: str, method: str, params: dict[str, Any]) -> Any:
        """Raises RefusedError, LostError."""
        with self.lock:
            self.calls.append((method, params))
            self.lock.notify_all()
            if token != self.token:
                raise RefusedError(401, "Unauthorized")
            fault = self._faults[method].popleft() if self._faults[method] else None
        handler = getattr(self, f"_{_snake(method)}", None)
        if handler is None:
            raise RefusedError(404, "Not Found: method not found")
        if isinstance(fault, LostError) and fault.done:
            handler(params)
        if fault:
            raise fault
        return handler(params)

    def _get_me(self, params: dict[str, Any]) -> Any:
        return self.me

    def _get_updates(self, params: dict[str, Any]) -> Any:
        with self.lock:
            if self.webhook["url"]:
                raise RefusedError(
                    409,
                    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook"
                    " first",
                )
            self._polls += 1
            mine = self._polls
            self.lock.notify_all()
            self._remember(params)
            offset = params.get("offset") or 0
            if offset < 0:
                offset = ([update["update_id"] for update in self.pending][offset:] or [0])[0]
            self._confirm(offset)
            limit = min(max(int(params.get("limit") or 100), 1), 100)
            self.lock.wait_for(lambda: self.pending or mine != self._polls, float(params.get("timeout") or 0))
            if mine != self._polls:
                raise RefusedError(
                    409,
                    "terminated by other getUpdates request; make sure that only one bot instance is running",
                )
            return self.pending[:limit]

    def _remember(self, params: dict[str, Any]) -> None:
        """allowed_updates stays as it was named last."""
        if "allowed_updates" in params:
            names = params["allowed_updates"]
            if not isinstance(names, list):
                raise RefusedError(400, "can't parse allowed updates JSON object")
            self.allowed_updates = names or None

    def _confirm(self, offset: int) -> None:
        with self.lock:
            self._updates = deque((at, update) for at, update in self._updates if update["update_id"] >= offset)

    def _set_webhook(self, params: dict[str, Any]) -> Any:
        with self.lock:
            secret = params.get("secret_token", "")
            if secret and not (len(secret) <= 256 and all(c.isascii() and (c.isalnum() or c in "_-") for c in secret)):
                raise RefusedError(400, "secret token contains unallowed characters")
            if params.get("drop_pending_updates"):
                self._updates.clear()
            self._remember(params)
            self.webhook = {key: params[key] for key in ("url", "secret_token", "max_connections") if key in params}
            return True

    def _delete_webhook(self, params: dict[str, Any]) -> Any:
        return self._set_webhook({"url": "", "drop_pending_updates": params.get("drop_pending_updates")})

    def _get_webhook_info(self, params: dict[str, Any]) -> Any:
        info = {"url": self.webhook["url"], "has_custom_certificate": False, "pending_update_count": len(self.pending)}
        if self.webhook["url"]:
            info |= {"max_connections": self.webhook.get("max_connections", 40)}
        return info | ({"allowed_updates": self.allowed_updates} if self.allowed_updates else {})

    def _get_chat(self, params: dict[str, Any]) -> Any:
        return self.chats[self._chat(params)]

    def _get_chat_member(self, params: dict[str, Any]) -> Any:
        chat_id = self._chat(params, present=False)
        status = self.members[chat_id]
        return {"user": BOT, "status": status} | ({"can_post_messages": True} if status == "administrator" else {})

    def _send_message(self, params: dict[str, Any]) -> Any:
        with self.lock:
            chat_id = self._chat(params)
            self._check_text(params.get("text"))
            markup = self._markup(params)
            thread = params.get("message_thread_id")
            if thread is not None and (state := self.topics.get((chat_id, thread))) != "open":
                raise RefusedError(400, "TOPIC_CLOSED" if state else "message thread not found")
            reply = params.get("reply_parameters") or {}
            target = (chat_id, reply.get("message_id"))
            known = target in self.foreign or target in self.messages
            if reply and not known and not reply.get("allow_sending_without_reply"):
                raise RefusedError(400, "message to be replied not found")
            self._throttle(chat_id)
            message = {"message_id": next(self._ids[chat_id]), "from": BOT, "chat": self.chats[chat_id]}
            message |= {"date": int(self.now()), "text": params["text"]}
            if reply and known:
                message["reply_to_message"] = {"message_id": reply["message_id"], "chat": self.chats[chat_id]}
            if thread is not None:
                message |= {"message_thread_id": thread, "is_topic_message": True}
            if markup:
                message["reply_markup"] = markup
            self.messages[chat_id, message["message_id"]] = message
            return dict(message)

    def _edit_message_text(self, params: dict[str, Any]) -> Any:
        with self.lock:
            message = self._message_to_edit(params)
            self._check_text(params.get("text"))
            new = {"text": params["text"], "reply_markup": self._markup(params)}
            if new == {"text": message["text"], "reply_markup": message.get("reply_markup")}:
                raise RefusedError(
                    400,
                    "message is not modified: specified new message content and reply markup are exactly the same as a"
                    " current content and reply markup of the message",
                )
            message.update({**new, "edit_date": int(self.now())})
            return dict(message)

    def _edit_message_reply_markup(self, params: dict[str, Any]) -> Any:
        with self.lock:
            message = self._message_to_edit(params)
            return self._edit_message_text(params | {"text": message["text"]})

    def _message_to_edit(self, params: dict[str, Any]) -> dict[str, Any]:
        message = self.messages.get((self._chat(params), params.get("message_id") or 0))
        if message is None:
            raise RefusedError(400, "message to edit not found")
        return message

    def _answer_callback_query(self, params: dict[str, Any]) -> Any:
        with self.lock:
            if len(params.get("text") or "") > 200:
                raise RefusedError(400, "MESSAGE_TOO_LONG")
            asked_at = self.queries.pop(params.get("callback_query_id", ""), None)
            if asked_at is None or self.now() - asked_at > QUERY_LIFETIME:
                raise RefusedError(400, "query is too old and response timeout expired or query ID is invalid")
            self.answers.append(params)
            return True

    def _get_file(self, params: dict[str, Any]) -> Any:
        file = self.files.get(params.get("file_id", ""))
        if file is None:
            raise RefusedError(400, "wrong file_id or the file is temporarily unavailable")
        if len(file["content"]) > FILE_LIMIT:
            raise RefusedError(400, "file is too big")
        known = {key: value for key, value in file.items() if key != "content"}
        return {"file_id": params["file_id"], "file_size": len(file["content"])} | known

    def _download(self, params: dict[str, Any]) -> Any:
        found = [file["content"] for file in self.files.values() if quote(file["file_path"]) == params["path"]]
        if not found:
            raise RefusedError(404, "Not Found")
        return found[0]

    # Rules

    def _chat(self, params: dict[str, Any], *, present: bool = True) -> int:
        """The id of the chat of a call."""
        chat_id = int(params.get("chat_id") or 0)
        if chat_id in self.migrated:
            raise RefusedError(
                400,
                "group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=self.migrated[chat_id],
            )
        if chat_id not in self.chats:
            raise RefusedError(400, "chat not found")
        kind = self.chats[chat_id]["type"]
        match self.members[chat_id]:
            case "kicked" if present:
                raise RefusedError(
                    403, "bot was blocked by the user" if kind == "private" else f"bot was kicked from the {kind} chat"
                )
            case "left" if present:
                raise RefusedError(403, f"bot is not a member of the {kind} chat")
            case "restricted" if present:
                raise RefusedError(400, "not enough rights to send text messages to the chat")
        return chat_id

    def _check_text(self, text: Any) -> None:
        if not isinstance(text, str) or not text.strip():
            raise RefusedError(400, "message text is empty")
        if units(text) > 4096:
            raise RefusedError(400, "message is too long")

    def _markup(self, params: dict[str, Any]) -> Any:
        markup = params.get("reply_markup")
        for row in (markup or {}).get("inline_keyboard", []):
            for button in row:
                if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= 64:
                    raise RefusedError(400, "BUTTON_DATA_INVALID")
        return markup

    def _throttle(self, chat_id: int) -> None:
        """A message a second in a chat, 20 a minute in a group, 30 a second in all."""
        if not self.limits:
            return
        now = self.now()
        self._sent = [(at, chat) for at, chat in self._sent if now - at < 60]
        recent = Counter(chat for at, chat in self._sent if now - at < 1)
        minute = [at for at, chat in self._sent if chat == chat_id]
        if chat_id < 0 and len(minute) >= 20:
            wait = 60 - (now - minute[0])
        elif recent[chat_id] or recent.total() >= 30:
            wait = 1
        else:
            self._sent.append((now, chat_id))
            return
        seconds = max(1, round(wait + 0.5))
        raise RefusedError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


class ScriptedBotAPI(BotAPI):
    """Takes any call of any chat: the first get the responses in `faults`, one each, all others succeed."""

    def __init__(self):
        super().__init__()
        self.faults = []  # statuses with JSON or bytes, see `refusal`; or "hang", until `released`
        self.calls = Queue()
        self.released = threading.Event()

    def message(self):
        """Returns the text of the next message that arrives."""
        return self.calls.get(timeout=10)[1]["text"]

    def respond(self, token, method, params):
        fault = self.faults.pop(0) if self.faults else None
        self.calls.put((f"/bot{token}/{method}", params))
        if fault == "hang":
            self.released.wait(60)
            raise LostError(done=False)
        if fault:
            raise RawError(*fault)
        return {"message_id": 7}


def refusal(status, description="", **parameters):
    return status, {"ok": False, "error_code": status, "description": description, "parameters": parameters}


class _Handler(BaseHTTPRequestHandler):
    server: BotAPI

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"] or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # the client died
            return
        _, bot, method = self.path.split("/")
        status, response, params = 200, {}, json.loads(body or "null")
        try:
            self.server.watch("asked", method, params, None)
            result = self.server.respond(bot.removeprefix("bot"), method, params)
            self.server.watch("done", method, params, result)
            response = {"ok": True, "result": result}
        except (RefusedError, RawError) as exc:
            status, response = exc.status, exc.body
        except LostError:
            return
        content = response if isinstance(response, bytes) else json.dumps(response).encode()
        with suppress(ConnectionError):  # the client is gone
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if status == 302:
                self.send_header("Location", self.server.url)
            self.end_headers()
            self.wfile.write(content)
            if status == 200:
                self.server.watch("responded", method, params, result)

    def do_GET(self) -> None:
        _, _, bot, path = self.path.split("/", 3)
        params, headers, pause = {"path": path}, {}, 0.0
        try:
            self.server.watch("asked", "download", params, None)
            body = self.server.respond(bot.removeprefix("bot"), "download", params)
        except (RefusedError, RawError) as exc:
            self.send_error(exc.status)
            return
        except DamageError as exc:
            body, headers, pause = exc.body, exc.headers, exc.pause
        except LostError:
            return
        with suppress(ConnectionError, LostError):
            self.send_response(200)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            half = len(body) // 2
            self._write(body[:half], pause)
            self.server.watch("half", "download", params, body)
            self._write(body[half:], pause)
            self.server.watch("responded", "download", params, body)

    def _write(self, content: bytes, pause: float) -> None:
        if not pause:
            self.wfile.write(content)
            return
        for index in range(len(content)):
            time.sleep(pause)
            self.wfile.write(content[index : index + 1])

    def log_message(self, *args: Any) -> None:
        pass


def _snake(method: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in method)
