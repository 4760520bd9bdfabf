"""BINARY against the store: parts without their transfer encoding, small and large (RFC 3516)."""

import base64
import random
import re
from pathlib import Path

import pytest

from mailstead.store.database import Database
from tests.support.imap import Client, imap_worker

DATA = bytes(range(256)) * 5
LATIN = "Grüße, = und\r\nnoch mehr".encode("latin-1")
QP = b"Gr=FC=DFe, =3D und\r\nnoch me=\r\nhr"
WHOLE = (
    b"Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\n" + QP + b"\r\n"
    b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(DATA).replace(b"\n", b"\r\n") + b"\r\n"
    b"--b\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nas it is\r\n--b--\r\n"
)  # fmt: skip


def octets_in(line: bytes) -> bytes:
    found = re.search(rb"~?\{(\d+)\}\r\n", line)
    assert found is not None, line
    return line[found.end() : found.end() + int(found[1])]


async def fetch(client: Client, items: bytes, uid: int = 1) -> bytes:
    (line,) = [x for x in (await client.ok(b"UID FETCH %d (%b)" % (uid, items))).untagged if b"FETCH" in x]
    return line


async def test_parts_are_decoded(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(WHOLE)
        line = await fetch(client, b"BINARY.PEEK[1]")
        assert b"BINARY[1] {%d}" % len(LATIN) in line
        assert octets_in(line) == LATIN
        line = await fetch(client, b"BINARY.PEEK[2]")
        assert b"BINARY[2] ~{%d}" % len(DATA) in line, "a literal may not hold NUL"
        assert octets_in(line) == DATA
        assert octets_in(await fetch(client, b"BINARY.PEEK[4]")) == b"as it is"
        assert octets_in(await fetch(client, b"BINARY.PEEK[2]<250.12>")) == DATA[250:262]
        assert b"BINARY[2]<250> ~{12}" in await fetch(client, b"BINARY.PEEK[2]<250.12>")
        assert b"BINARY[2]<9999> {0}" in await fetch(client, b"BINARY.PEEK[2]<9999.12>")
        sizes = await fetch(client, b"BINARY.SIZE[1] BINARY.SIZE[2] BINARY.SIZE[9]")
        assert b"BINARY.SIZE[1] %d BINARY.SIZE[2] %d BINARY.SIZE[9] 0" % (len(LATIN), len(DATA)) in sizes
        assert b"BINARY[9] NIL" in await fetch(client, b"BINARY.PEEK[9]")
        assert octets_in(await fetch(client, b"BINARY.PEEK[]")) == WHOLE
        assert await client.flags(1) == {rb"\Recent"}
        assert rb"\Seen" in await fetch(client, b"BINARY[4]")


async def test_an_unknown_encoding_hides_no_other_message(sqlite: Database, tmp_path: Path) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        await client.append(WHOLE)
        await client.append(b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(DATA))
        said = await client.no(b"FETCH 1:2 (BINARY.PEEK[3] BINARY.PEEK[1])")
        assert said.code == b"UNKNOWN-CTE"
        said = await client.no(b"FETCH 1 BINARY.SIZE[3]")
        assert octets_in(await fetch(client, b"BINARY.PEEK[1]", 2)) == DATA, "a message that is no multipart"


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable", b"8bit"])
async def test_a_large_part_is_decoded_in_pieces(sqlite: Database, tmp_path: Path, encoding: bytes) -> None:
    async with imap_worker(sqlite, tmp_path) as w:
        await w.house.move_in()
        client = await w.login()
        plain = (
            random.Random(1).randbytes(300_000).replace(b"\0", b"x").replace(b"\r", b"y").replace(b"\n", b"z")
        )
        if encoding == b"base64":
            plain += b"\0"
            body = base64.encodebytes(plain).replace(b"\n", b"\r\n")
        elif encoding == b"quoted-printable":
            body = b"=\r\n".join(
                b"".join(b"=%02X" % o for o in plain[at : at + 20]) for at in range(0, len(plain), 20)
            )
        else:
            body = plain
        await client.append(b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body)
        line = await fetch(client, b"BINARY.PEEK[1] BINARY.SIZE[1]")
        assert octets_in(line) == plain
        assert line.endswith(b"BINARY.SIZE[1] %d)" % len(plain))
        assert octets_in(await fetch(client, b"BINARY.PEEK[1]<100000.70000>")) == plain[100_000:170_000]
