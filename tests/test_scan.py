"""The search for plaintext finds a word in every form it can take, and none where there is none."""

import base64
import gzip
import os
import quopri
import tempfile
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mailstead.crypto.frame import compress, compress_entry, store_entry
from mailstead.scan import SHORTEST, Scan

WORD = b"Zq7kanarie"


def found(octets: bytes, word: bytes = WORD) -> list[str]:
    scan = Scan({"w": word})
    scan.look("here", octets)
    assert {hit.where for hit in scan.hits} <= {"here"}
    return sorted(hit.form for hit in scan.hits)


def quoted(octets: bytes) -> bytes:
    """Every octet, with a soft line break after each fifth."""
    coded = [b"=%02X" % octet for octet in octets]
    return b"=\r\n".join(b"".join(coded[at : at + 5]) for at in range(0, len(coded), 5))


@pytest.mark.parametrize(
    ("octets", "form"),
    [
        (WORD, "in whatever case"),
        (WORD.upper(), "in whatever case"),
        (WORD.decode().encode("utf-16-le"), "in UTF-16"),
        (WORD.hex().encode(), "in hexadecimal"),
        (WORD.hex().upper().encode(), "in hexadecimal"),
        (quoted(WORD), "in quoted-printable"),
        (quopri.encodestring(b"x" * 70 + WORD), "in quoted-printable"),
        (zlib.compress(b"some text before " + WORD), "in whatever case inside a stream"),
        (zlib.compress(WORD, 1), "in whatever case inside a stream"),
        (gzip.compress(WORD * 3), "in whatever case inside a stream"),
        (zstandard.compress(b"before " + WORD * 2), "in whatever case inside a stream"),
        (compress(WORD), "in whatever case inside a stream"),
        (compress_entry(b"Subject: " + WORD), "in whatever case inside a stream"),
        (compress_entry(WORD.decode().encode("utf-16-le") * 2), "in UTF-16 inside a stream"),
        (zstandard.compress(base64.b64encode(b"xx" + WORD)), "in base64 inside a stream"),
    ],
)
def test_a_word_is_found_in_every_form(octets: bytes, form: str) -> None:
    for around in (b"", os.urandom(1000)):
        assert form in found(around + octets + around)


@given(st.binary(max_size=20), st.binary(max_size=20), st.booleans(), st.booleans())
def test_base64_is_found_whatever_stands_around(before: bytes, after: bytes, url: bool, lower: bool) -> None:
    word = WORD.lower() if lower else WORD
    coded = (base64.urlsafe_b64encode if url else base64.b64encode)(before + word + after)
    assert found(coded) == ["in base64"]


def test_lines_of_base64_are_joined() -> None:
    for shift in range(80):
        assert found(base64.encodebytes(b"x" * shift + WORD).replace(b"\n", b"\r\n")) == ["in base64"]


def test_a_cut_stream_is_looked_at_as_far_as_it_goes() -> None:
    whole = zstandard.compress(WORD + os.urandom(300_000))
    assert "in whatever case inside a stream" in found(whole[:200_000])
    assert found(store_entry(WORD + os.urandom(300_000))[:150_000])


def test_a_bomb_is_not_inflated_whole() -> None:
    bomb = zstandard.compress(bytes(1 << 30))
    scan = Scan({"w": WORD})
    scan.look("here", bomb * 3 + zlib.compress(bytes(200 << 20), 1)[: 1 << 20])
    assert scan.streams >= 3
    assert not scan.hits


def test_words_that_are_no_ascii() -> None:
    word = "Ünïcode-wörd"
    for octets in (word.encode(), word.upper().encode(), word.lower().encode(), word.encode("utf-16-le")):
        assert found(octets, word.encode()), octets
    assert "in quoted-printable" in found(quopri.encodestring(word.encode()), word.encode())


def test_random_octets_hold_no_word() -> None:
    assert found(os.urandom(8 << 20), b"k" * SHORTEST) == []


def test_a_word_across_two_windows_is_found(tmp_path: Path) -> None:
    for at in (16 << 20, (16 << 20) - 5, (32 << 20) - 5):
        path = tmp_path / "file"
        with path.open("wb") as file:
            file.write(bytes(at))
            file.write(WORD)
            file.write(bytes(100))
        scan = Scan({"w": WORD})
        scan.below(tmp_path)
        assert [hit.where for hit in scan.hits] == [str(path)]
        assert (scan.files, scan.octets) == (1, at + len(WORD) + 100)


def test_files_without_a_name_are_looked_at_while_they_are_open(tmp_path: Path) -> None:
    scan = Scan({"w": WORD})
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        file.write(b"x" * 100 + WORD)
        file.flush()
        scan.below(tmp_path)
        assert not scan.hits
        scan.deleted(os.getpid())
        (hit,) = scan.hits
        assert "(deleted)" in hit.where
    fd = os.memfd_create("keys")
    os.write(fd, WORD)
    again = Scan({"w": WORD})
    again.deleted(os.getpid())
    os.close(fd)
    assert not again.hits, "what is in memory only is no file"


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    scan = Scan({"w": WORD})
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "gone").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    scan.below(tmp_path, tmp_path / "not-there")
    assert (scan.files, scan.unread) == (0, {})
    scan.file(Path("/proc/self/mem"))
    assert scan.unread == {"/proc/self/mem": "Input/output error"}
