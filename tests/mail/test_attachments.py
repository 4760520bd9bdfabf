"""Whether a message has attachments."""

import pytest

from mailstead.mail.attachments import attached
from mailstead.mail.render import bodystructure
from mailstead.mail.structure import Scanner

PLAIN = b"Content-Type: text/plain\r\n\r\nhi\r\n"
HTML = b"Content-Type: text/html\r\n\r\n<p>hi\r\n"
PICTURE = b"Content-Type: image/png\r\n\r\nx\r\n"
FILE = b"Content-Type: text/csv\r\nContent-Disposition: attachment; filename=a.csv\r\n\r\n1,2\r\n"
INLINE = b"Content-Type: text/plain\r\nContent-Disposition: inline\r\n\r\nhi\r\n"
LIAR = b'Content-Type: text/plain; x="(\\"image\\" \\"png\\""\r\nContent-Description: ("image" "png"\r\n\r\nhi\r\n'


def mixed(*parts: bytes, kind: bytes = b"mixed") -> bytes:
    inner = b"".join(b"--b\r\n" + part for part in parts)
    return b"Content-Type: multipart/%b; boundary=b\r\n\r\n%b--b--\r\n" % (kind, inner)


@pytest.mark.parametrize(
    ("octets", "found"),
    [
        (PLAIN, False), (HTML, False), (PICTURE, True), (FILE, True), (INLINE, False), (LIAR, False),
        (mixed(PLAIN, HTML, kind=b"alternative"), False), (mixed(PLAIN, PICTURE), True), (mixed(PLAIN, FILE), True),
        (mixed(PLAIN, INLINE), False), (mixed(PICTURE, PLAIN), True),
        (mixed(b"Content-Type: message/rfc822\r\n\r\nFrom: \"A\" <a@b.test>\r\n" + PLAIN), False),
        (mixed(b"Content-Type: message/rfc822\r\n\r\nFrom: \"A\" <a@b.test>\r\n" + PICTURE), False),
    ],
)  # fmt: skip
def test_attachments(octets: bytes, found: bool) -> None:
    scanner = Scanner()
    scanner.push(octets)
    assert attached(bodystructure(scanner.finish().root)) is found
