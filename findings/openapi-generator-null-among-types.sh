#!/usr/bin/env bash
# A null among values of several types in a client that openapi-generator makes for Python
#
# Versions: openapi-generator-cli 7.26.0 (PyPI; needs Java 11 or newer), pydantic 2.14.3, CPython 3.11 or newer.
# Expected: with `type: [string, boolean, null]` (OpenAPI 3.1; JSON Schema 2020-12, Validation, 6.1.1) a null of a response is
#   None, as it is with `type: [string, null]`.
# Seen: it is an object of a class made for the values, which is not None and counts as true; what it holds, None, true or a
#   text, is its attribute `actual_instance`.
# For this service: values of the history are texts, true, false or null, so its document gives them no type: the client then
#   has them as they are.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -qq --disable-pip-version-check openapi-generator-cli==7.26.0 pydantic==2.14.3 \
    python-dateutil==2.9.0.post0 urllib3==2.8.0 typing-extensions
cat >document.json <<'JSON'
{"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": {"/entries": {"get": {
  "operationId": "list",
  "responses": {"200": {"description": "an entry", "content": {"application/json": {"schema": {
    "$ref": "#/components/schemas/Entry"}}}}}}}},
 "components": {"schemas": {"Entry": {"type": "object", "properties": {
   "two": {"type": "array", "items": {"type": ["string", "null"]}},
   "three": {"type": "array", "items": {"type": ["string", "boolean", "null"]}},
   "any": {"type": "array", "items": {}}}}}}}
JSON
venv/bin/openapi-generator-cli generate -i document.json -g python -o python >generator.log 2>&1
seen=$(PYTHONPATH=python venv/bin/python - <<'PY'
from openapi_client.models.entry import Entry

entry = Entry.from_json('{"two": [null], "three": [null, true], "any": [null, true]}')
print("two types:", entry.two)
print("three types:", [(type(each).__name__, each.actual_instance, bool(each)) for each in entry.three])
print("no type:", entry.any)
PY
)
echo "openapi-generator $(venv/bin/openapi-generator-cli version)"
echo "$seen"
[ "$seen" = "two types: [None]
three types: [('EntryThreeInner', None, True), ('EntryThreeInner', True, True)]
no type: [None, True]" ] || exit 1
