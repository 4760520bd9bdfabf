"""Searching bodies in pieces finds what searching them whole would find."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.mail import searching
from mailstead.mail.casemap import fold
from mailstead.mail.charset import _FAMILY, decode, decode_pieces
from mailstead.mail.encodedwords import base64 as whole_base64
from mailstead.mail.searching import BodySearch, body_pieces
from mailstead.mail.structure import Scanner
from mailstead.mail.transfer import Base64, QuotedPrintable, decoded, quoted_printable
from tests.mail.test_casemap import HARD

HEAD = "Subject: x\r\nContent-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n"


def cut(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


@pytest.mark.parametrize("charset", sorted(_FAMILY))
@given(st.one_of(st.binary(max_size=40), st.text(HARD, max_size=20)), st.integers(1, 9))
def test_charsets_in_pieces(charset: str, content: bytes | str, size: int) -> None:
    octets = content if isinstance(content, bytes) else content.encode(_FAMILY[charset], "replace")
    pieces = decode_pieces(cut(octets, size), charset.encode())
    assert "".join(pieces) == decode(octets, charset.encode())


@given(st.text("=4a \t\r\nZ\u00e4", max_size=60), st.integers(1, 9))
def test_transfer_encodings_in_pieces(string: str, size: int) -> None:
    octets = string.encode("latin-1")
    assert b"".join(decoded(QuotedPrintable(), cut(octets, size))) == quoted_printable(octets)
    assert b"".join(decoded(Base64(), cut(octets, size))) == whole_base64(octets)


@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
@given(st.text(HARD, max_size=200), st.data())
def test_what_lies_across_a_border_is_found(encoding: str, string: str, data: st.DataObject) -> None:
    octets = string.encode()
    if encoding == "base64":
        octets = base64.encodebytes(octets)
    elif encoding == "quoted-printable":
        octets = b"".join(b"=%02X" % o for o in octets)
    whole = (HEAD % ("utf-8", encoding)).encode() + octets
    folded = fold(octets.decode() if encoding == "8bit" else string)
    start = data.draw(st.integers(0, len(folded)))
    needle = folded[start : start + data.draw(st.integers(0, 30))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "PIECE", data.draw(st.integers(1, 64)))
        search = BodySearch({needle, "nowhere"})
        for _ in search.steps(whole):
            pass
        assert search.found.strings == {needle}
        scanner = Scanner()
        scanner.push(whole)
        pieces = list(body_pieces(scanner.finish().root, whole))
    assert "".join(p.text for p in pieces) == folded
    assert [p.first for p in pieces] == [True] + [False] * (len(pieces) - 1)


@pytest.mark.parametrize("charset", ["utf-8", "us-ascii", "x-unknown", "iso-8859-1"])
def test_what_a_charset_does_not_allow_hides_nothing_else(charset: str) -> None:
    """RFC 5255 section 4.6 compares the octets then; what they have is found here, too."""
    octets = (HEAD % (charset, "8bit")).encode() + b"Gr\xfc\xdfe aus " + "Köln".encode() + b" \xff Ende"
    search = BodySearch(set(map(fold, ("köln", "ENDE", "gr", "grüße"))))
    for _ in search.steps(octets):
        pass
    latin = charset == "iso-8859-1"
    assert search.found.strings == set(map(fold, ("ende", "gr", "grüße" if latin else "köln")))


def test_nothing_is_found_across_two_texts() -> None:
    whole = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b\r\n"
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nthree\r\n--b\r\n"
        b"Content-Type: image/png\r\n\r\npicture\r\n--b--\r\n"
    )
    search = BodySearch({"", "ONE", "TWO", "ONETWO", "SUBJECT: INNER", "THREE", "PICTURE"})
    for _ in search.steps(whole):
        pass
    assert search.found.strings == {"", "ONE", "TWO", "SUBJECT: INNER", "THREE"}
    search = BodySearch({""})
    for _ in search.steps(b"Content-Type: image/png\r\n\r\npicture"):
        pass
    assert search.found.strings == set()
