"""BINARY in FETCH (RFC 3516 section 4)."""

import pytest

from mailstead.imap.binary import Binary, Partial
from mailstead.imap.commands import parse
from mailstead.imap.fetch import Fetch
from mailstead.imap.tokens import BadSyntax


def item(text: bytes) -> object:
    found = parse((b"a FETCH 1 " + text,))
    assert isinstance(found, Fetch)
    (one,) = found.items
    return one


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"BINARY[1]", Binary((1,), b"BINARY[1]")),
        (b"binary.peek[1.22.3]<5.7>", Binary((1, 22, 3), b"BINARY[1.22.3]<5>", peek=True, partial=Partial(5, 7))),
        (b"BINARY.SIZE[2]", Binary((2,), b"BINARY.SIZE[2]", peek=True, size=True)),
        (b"BINARY[]", Binary((), b"BINARY[]")),
    ],
)  # fmt: skip
def test_items(text: bytes, expected: Binary) -> None:
    assert item(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"BINARY", b"BINARY[TEXT]", b"BINARY[1.TEXT]", b"BINARY[1.MIME]", b"BINARY[0]", b"BINARY[1", b"BINARY[1]<5>", b"BINARY[1]<5.0>",
        b"BINARY.SIZE[1]<0.5>", b"BINARY.SIZE", b"BINARY[" + b".".join([b"1"] * 101) + b"]", b"BINARY.SHOW[1]",
    ],
)  # fmt: skip
def test_what_is_none(text: bytes) -> None:
    with pytest.raises(BadSyntax):
        item(text)
