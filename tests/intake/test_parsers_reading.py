import pytest

from intake.parsers.reading import UnreadableError, read
from intake.parsers.types import Notice, Reason


@pytest.mark.parametrize(
    "body",
    [
        '{"a": "\\u00e9\\n\\\\"}',
        '\ufeff{"a": 1}',
        '{"a": NaN, "b": 1e999}',
        '{"id": "{EVENT.ID}"}',
    ],
)
def test_valid(body):
    payload, notices = read(body.encode())
    assert (len(payload) > 0, notices) == (True, [])


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        (b'{"a": "two\nlines\tand\ttabs"}', {"a": "two\nlines\tand\ttabs"}),
        (b'{"a": "C:\\Disk \\d+ \\u12"}', {"a": "C:\\Disk \\d+ \\u12"}),
        (b'{"a": "quoted \\" and \\\\ \n"}', {"a": 'quoted " and \\ \n'}),
        (b'{"tags": {EVENT.TAGSJSON}, "v": *UNKNOWN*}', {"tags": "{EVENT.TAGSJSON}", "v": "*UNKNOWN*"}),
        (b'{"a": {ITEM.VALUE1}, "b": "not {EVENT.ID} here"}', {"a": "{ITEM.VALUE1}", "b": "not {EVENT.ID} here"}),
        ('{"a": "Диск"}'.encode("cp1251"), {"a": "\ufffd" * 4}),
    ],
)
def test_repaired(body, payload):
    assert read(body) == (payload, [Notice(Reason.REPAIRED)])


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b'{"a": "', b'{"a": "\\', b"hello", b"a=1&b=2", b"<xml/>", b'{"a": "say "hi""}', b"\xff\xfe\x00"],
)
def test_unreadable(body):
    with pytest.raises(UnreadableError) as raised:
        read(body)
    assert raised.value.reason == Reason.UNREADABLE


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"text"', b'"two\nlines"'])
def test_no_object(body):
    with pytest.raises(UnreadableError) as raised:
        read(body)
    assert raised.value.reason == Reason.NOT_AN_OBJECT


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 1_000_000,
        b'{"a": ' + b"1" * 100_000 + b"}",
        b'{"' + b'\\"' * 2_000_000,
        b"{A." * 1_000_000,
        b"{" + b"A" * 2_000_000,
    ],
    ids=["lists", "objects", "digits", "quotes", "macros", "macro"],
)
def test_hostile(body):
    with pytest.raises(UnreadableError):
        read(body)
