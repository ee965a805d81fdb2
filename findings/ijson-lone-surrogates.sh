#!/usr/bin/env bash
# ijson 3.6.0 (its default backend, yajl2_c) loses a character behind an escaped lone surrogate, or fails outside its own errors.
#
# Expected: RFC 8259, 8.2, lets a string hold "\ud83d" or "\udc00" alone; json and ijson's backend "python" return the lone
# surrogate. JSON.stringify of a text that was cut within an emoji writes such strings. yajl2_c takes the escape that follows a
# high surrogate for its other half, whatever it is: "\ud83d\u0041" is one character, and the A is gone. Of a low surrogate it
# makes bytes that are no UTF-8, and raises UnicodeDecodeError, which is no ijson.JSONError: a stream ends there.
# For us: telegram/history/file.py replaces lone surrogates by U+FFFD before ijson sees them; what else reads with ijson must
# catch ValueError too.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check ijson==3.6.0
"$tmp/venv/bin/python" - <<'PYTHON'
import io
import sys
from importlib.metadata import version

import ijson


def read(document, backend):
    try:
        return ascii(list(ijson.get_backend(backend).items(io.BytesIO(document), "item")))
    except ijson.JSONError:
        return "JSONError"
    except UnicodeDecodeError:
        return "UnicodeDecodeError"


print("ijson", version("ijson"), "default backend", ijson.backend)
seen = {}
for document in (rb'["\ud83d\u0041"]', rb'["\udc00"]'):
    for backend in ("python", "yajl2_c"):
        seen[document, backend] = read(document, backend)
        print(f"{document.decode():22} {backend:8} {seen[document, backend]}")
still = {
    (rb'["\ud83d\u0041"]', "yajl2_c"): r"['\U0001f441']",
    (rb'["\udc00"]', "yajl2_c"): "UnicodeDecodeError",
}
sys.exit(0 if all(seen[key] == value for key, value in still.items()) else 1)
PYTHON
