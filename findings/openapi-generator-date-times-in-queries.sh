#!/usr/bin/env bash
# A `date-time` parameter of the query in clients that openapi-generator makes
#
# Versions: openapi-generator-cli 7.26.0 (PyPI; needs Java 11 or newer), CPython 3.11 or newer,
#   PHP 8.2 (Debian 12: php-cli=2:8.2+93).
# Expected: both clients send the RFC 3339 timestamp that `format: date-time` means (OpenAPI 3.0.3, 4.4).
# Seen: Python's writes it by strftime("%Y-%m-%dT%H:%M:%S.%f%z"): the offset has no colon, `+0000`, which RFC 3339, 5.6 does
#   not allow. PHP's documents a \DateTime and fails for one, "Object of class DateTime could not be converted to string":
#   it passes the OpenAPI type `string` where its serializer asks for `\DateTime`.
# For this service: the list's date filters take an offset without its colon; a client in PHP passes text.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -qq --disable-pip-version-check openapi-generator-cli==7.26.0
cat >document.json <<'JSON'
{"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": {"/entries": {"get": {
  "operationId": "list",
  "parameters": [{"name": "since", "in": "query", "schema": {"type": "string", "format": "date-time"}}],
  "responses": {"204": {"description": "none"}}}}}}
JSON
for language in python php; do
    venv/bin/openapi-generator-cli generate -i document.json -g "$language" -o "$language" >"$language.log" 2>&1
done

python=$(grep -o 'datetime_format: str=".*"' python/openapi_client/configuration.py | cut -d '"' -f 2)
written=$(venv/bin/python -c "from datetime import *; print(datetime(2024, 1, 15, tzinfo=UTC).strftime('$python'))")
kind=$(grep -A1 "'since', // param base name" php/lib/Api/DefaultApi.php | grep -o "'.*'" | tail -1)
failure=$(php -d display_errors=0 -r "
require 'php/lib/Configuration.php';
require 'php/lib/ObjectSerializer.php';
use OpenAPI\Client\ObjectSerializer;
try {
    echo ObjectSerializer::buildQuery(ObjectSerializer::toQueryValue(new DateTime(), 'since', $kind, 'form', true, false));
} catch (Error \$e) {
    echo \$e->getMessage();
}")
echo "Python: $written"
echo "PHP:    $failure"
[ "$written" = "2024-01-15T00:00:00.000000+0000" ] &&
    [ "$failure" = "Object of class DateTime could not be converted to string" ] || {
    echo "The behaviour has changed."
    exit 1
}
