"""What is ruled out is not there: whatever `Probe` says no to, the slow search does not find."""

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.mail.absence import _UNLIKE_ASCII, Probe
from mailstead.mail.casemap import fold
from mailstead.mail.charset import _FAMILY
from mailstead.mail.render import bodystructure
from mailstead.mail.searching import BodySearch, field_texts, header_text
from mailstead.mail.structure import Scanner

CHARSETS = [
    "us-ascii",
    "utf-8",
    "iso-8859-1",
    "iso-2022-jp",
    "utf-16",
    "utf-16le",
    "shift_jis",
    "koi8-r",
    "x",
]
KINDS = ["text/plain", "text/html", "image/png", "application/x", "message/rfc822", "message/x", 'te"xt/a']
# What folds to ASCII, what is composed away, and what means something where octets are encoded.
HARD = "aSsk\u212a\u017fßéａ²\u0301=?+~\x1b\0$B \t\r\n:"


def encoded(octets: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        return base64.encodebytes(octets).replace(b"\n", b"\r\n")
    return quopri.encodestring(octets) if encoding == "quoted-printable" else octets


def part(text: str, kind: str, charset: str, encoding: str) -> bytes:
    octets = text.encode("utf-8" if charset == "x" else charset, "replace")
    head = f"Content-Type: {kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n"
    return (
        head.encode() + b'Content-Description: ("IMAGE" "X" NIL NIL NIL\r\n\r\n' + encoded(octets, encoding)
    )


parts = st.builds(
    part,
    st.text(HARD, max_size=30),
    st.sampled_from(KINDS),
    st.sampled_from(CHARSETS),
    st.sampled_from(["7bit", "base64", "Quoted-Printable", "quoted-printable", "x", "(c) base64"]),
)


def look(message: bytes, needle: str) -> tuple[bool, bool]:
    """Whether the body is ruled out, and whether it has it."""
    needle = fold(needle)
    scanner = Scanner()
    scanner.push(message)
    root = scanner.finish().root
    search = BodySearch({needle})
    for _ in search.steps(message):
        pass
    absent = Probe({needle}).not_in_body(message, root.body_start, bodystructure(root))
    return absent, needle in search.found.strings


@given(st.lists(parts, min_size=1, max_size=3), st.text(HARD, min_size=1, max_size=3), st.booleans())
def test_what_is_ruled_out_is_not_there(several: list[bytes], wanted: str, alone: bool) -> None:
    message = several[0]
    if not alone:
        message = b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n"
        message += b"".join(b"\r\n--bb\r\n" + p for p in several) + b"\r\n--bb--\r\n"
    absent, found = look(message, wanted)
    assert not (absent and found)


@given(
    st.lists(st.text("Sub: =?utf8q_\r\n\t a\u212a", max_size=20), max_size=4),
    st.text("sub: =?\r\nak", max_size=4),
)
def test_what_is_ruled_out_of_a_header_is_not_there(lines: list[str], wanted: str) -> None:
    header = ("Subject: x\r\n" + "\r\n".join(lines)).encode()
    needle = fold(wanted)
    if Probe({needle}).not_in_header(header):
        assert needle not in header_text(header)
        assert not any(needle in value for value in field_texts(header, b"subject"))


PLAIN = b"Content-Type: text/plain\r\n\r\nnothing here\r\n"
PICTURE = b"Content-Type: image/png; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
QUOTED = part("nothing here", "text/plain", "utf-8", "quoted-printable")


@pytest.mark.parametrize("message", [
    PLAIN, QUOTED, PICTURE,
    b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n" + PLAIN + b"--bb\r\n" + PICTURE + b"--bb--\r\n",
])  # fmt: skip
def test_most_messages_are_ruled_out(message: bytes) -> None:
    assert look(message, "zephyr") == (True, False)
    assert look(message, "no zephyr") == (True, False)


@pytest.mark.parametrize(("text", "charset", "encoding", "needle"), [
    ("Zephyr", "us-ascii", "7bit", "zephyr"),
    ("zep=\r\nhyr", "utf-8", "Quoted-Printable", "zephyr"),
    ("zephyr", "utf-8", "base64", "zephyr"),
    ("zephyr", "utf-16le", "quoted-printable", "zephyr"),
    ("stra\u00dfe", "iso-8859-1", "8bit", "STRA\u00dfE"),
    ("caf\u00e9", "iso-8859-1", "8bit", "cafe"),
    ("\uff5aephyr", "utf-8", "8bit", "zephyr"),
    ("\u212aelvin", "utf-8", "8bit", "kelvin"),
    ("\u212aelvin", "utf-8", "quoted-printable", "kelvin"),
])  # fmt: skip
def test_what_is_there_is_not_ruled_out(text: str, charset: str, encoding: str, needle: str) -> None:
    message = part(text, "text/plain", charset, encoding.lower())
    if "=" in text:
        message = message.replace(b"=3D", b"=")
    assert look(message, needle) == (False, True)


def test_an_enclosed_header_may_have_encoded_words() -> None:
    message = b"Content-Type: message/rfc822\r\n\r\nSubject: =?us-ascii?q?zephy=72?=\r\n\r\nx\r\n"
    assert look(message, "zephyr") == (False, True)


def test_a_literal_in_a_structure_may_look_like_anything() -> None:
    head = b'Content-Type: text/plain\r\nContent-Description: \xc3\xa9("A" "B" NIL NIL NIL\r\n'
    message = head + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(b"zephyr")
    assert look(message, "zephyr") == (False, True)


@pytest.mark.parametrize(("header", "needle"), [
    (b"Subject: =?us-ascii?q?zephy=72?=\r\n", "zephyr"),
    (b"Subject: of the\r\n zephyr\r\n", "the zephyr"),
    (b"Subject : zephyr\r\n", "subject: z"),
    (b"Subject: \xe2\x84\xaaelvin\r\n", "kelvin"),
])  # fmt: skip
def test_what_is_in_a_header_is_not_ruled_out_of_it(header: bytes, needle: str) -> None:
    needle = fold(needle)
    assert needle in header_text(header)
    assert not Probe({needle}).not_in_header(header)


def test_what_is_not_ascii_is_in_nothing_that_is() -> None:
    assert Probe({fold("\u00e9")}).not_in_header(b"Subject: x\r\n")
    assert not Probe({fold("\u00e9")}).not_in_header("Subject: \u00e9\r\n".encode())
    assert not Probe({fold("\u00a0")}).not_in_header(b"Subject: x\r\n"), "a space is all it is"
    assert not Probe({fold("zephyr"), ""}).not_in_header(b"Subject: x\r\n")
    assert Probe({fold("zephyr")}).not_in_header(b"Subject: x\r\n")


@pytest.mark.parametrize("charset", sorted(_FAMILY))
def test_octets_of_ascii_are_ascii_but_in_charsets_that_are_known_to_differ(charset: str) -> None:
    octets = bytes(range(128))
    if _UNLIKE_ASCII.search(charset.upper().encode()) is None:
        assert octets.decode(_FAMILY[charset]) == octets.decode("ascii")
