"""Searching bodies in pieces finds what searching them whole would find."""

import base64
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailstead.mail import searching
from mailstead.mail.charset import _FAMILY, decode, decode_pieces
from mailstead.mail.encodedwords import base64 as whole_base64
from mailstead.mail.searching import BodySearch, body_pieces, fold
from mailstead.mail.structure import Scanner
from mailstead.mail.transfer import Base64, QuotedPrintable, decoded, quoted_printable

HEAD = "Subject: x\r\nContent-Type: text/plain; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n"
# Marks, jamo, a ligature, what folds to more, and what is composed with what comes before it.
HARD = "ab\r\nÄßéﬁŉΣςİ\u0301\u0323\u0345\u09c7\u09be\u1100\u1161\u11a8각日か\u3099\U0001f600"


def slow_fold(string: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", string).casefold())


def cut(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


@given(st.text(HARD, max_size=60), st.integers(1, 40))
def test_folding_in_pieces(string: str, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "_FOLDED", 61)
        repeated = string * 6
        assert fold(repeated) == slow_fold(repeated)
    found, at = "", 0
    while at < len(string):
        end = at + (searching._border(string[at : at + size]) or len(string))
        found, at = found + fold(string[at:end]), end
    assert found == slow_fold(string)


def test_nothing_but_marks_is_folded_in_time() -> None:
    assert len(fold("\u0301\u0323" * 50_000)) == 100_000
    assert fold("e\u0301" * 5000) == "é" * 5000


def test_no_character_is_composed_with_one_that_borders_it() -> None:
    """What `_border` takes for granted, asked of this Python's tables."""
    for number in range(0x110000):
        c = chr(number)
        if c.isascii() or unicodedata.category(c)[0] in "LNPSZ":
            first = unicodedata.normalize("NFD", slow_fold(c))[0]
            assert unicodedata.combining(first) == 0
            assert unicodedata.category(first)[0] != "M"
            parts = unicodedata.decomposition(c).split()
            if len(parts) == 2 and not parts[0].startswith("<"):
                assert unicodedata.category(chr(int(parts[1], 16)))[0] == "M"


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
        assert search.found == {needle}
        scanner = Scanner()
        scanner.push(whole)
        pieces = list(body_pieces(scanner.finish().root, whole))
    assert "".join(p.text for p in pieces) == folded
    assert [p.first for p in pieces] == [True] + [False] * (len(pieces) - 1)


def test_nothing_is_found_across_two_texts() -> None:
    whole = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b\r\n"
        b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nthree\r\n--b\r\n"
        b"Content-Type: image/png\r\n\r\npicture\r\n--b--\r\n"
    )
    search = BodySearch({"", "one", "two", "onetwo", "subject: inner", "three", "picture"})
    for _ in search.steps(whole):
        pass
    assert search.found == {"", "one", "two", "subject: inner", "three"}
    search = BodySearch({""})
    for _ in search.steps(b"Content-Type: image/png\r\n\r\npicture"):
        pass
    assert search.found == set()
