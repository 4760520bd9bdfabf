"""Message ids, in one spelling."""

import time

import pytest

from mailstead.mail.messageids import message_ids
from tests.support.pace import seconds


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        (b"<a@b>", [b"a@b"]),
        (b"<a@b> <c@d>\t<E@f>", [b"a@b", b"c@d", b"E@f"]),
        (b"<a@b><c@d>", [b"a@b", b"c@d"]),
        (b'<"01KF8JCEOCBS0045PS"@xxx.yyy.com>', [b"01KF8JCEOCBS0045PS@xxx.yyy.com"]),  # the RFC's example
        (b'<"a b\\"c"@d> <e@f>', [b'a b"c@d', b"e@f"]),
        (b'<"a<b@c>"@d>', [b"a<b@c>@d"]),
        (b'Your message of "Mon, 1 Jan" <a@b> of you', [b"a@b"]),
        (b"<a@[192.0.2.1]>", [b"a@[192.0.2.1]"]),
        (b"<>", []), (b"<a>", []), (b"a@b", []), (b"<@b>", []), (b"<a@>", []), (b"<a b@c>", []), (b"<a@b <c@d>", [b"c@d"]),
        (b"", []),
    ],
)  # fmt: skip
def test_ids(value: bytes, ids: list[bytes]) -> None:
    assert message_ids(value) == ids


@pytest.mark.parametrize("piece", [b"<", b'<"', b'<"\\', b'<"a\\"', b"<a@", b'<"a"', b'"', b"<a"])
def test_any_value_is_read_in_linear_time(piece: bytes) -> None:
    began = time.process_time()
    assert message_ids(b'"' + piece * 30_000) == []
    assert time.process_time() - began < seconds(2)
