"""Round trip through real processes: 500 generated messages and the corpus, by SMTP, LMTP and BDAT, out by export."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts.test_round_trip import generated
from tests.support.server import Server, Talk

CORPUS = Path(__file__).parent.parent / "corpus"
pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("export") / "box", workers=2).make().start()
    yield made
    assert made.stop() == 0


def deliver(talk: Talk, octets: bytes, *, bdat: bool) -> tuple[int, bytes]:
    talk.send(b"MAIL FROM:<a@a.test>\r\nRCPT TO:<ann@b.test>\r\n")
    assert [talk.reply()[0] for _ in range(2)] == [250, 250]
    if bdat:
        half = len(octets) // 2
        talk.send(b"BDAT %d\r\n" % half + octets[:half])
        assert talk.reply()[0] == 250
        talk.send(b"BDAT %d LAST\r\n" % (len(octets) - half) + octets[half:])
    else:
        talk.send(b"DATA\r\n")
        assert talk.reply()[0] == 354
        stuffed = octets.replace(b"\r\n.", b"\r\n..")
        stuffed = b"." + stuffed if stuffed.startswith(b".") else stuffed
        talk.send((stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n") + b".\r\n")
    return talk.reply()


def test_what_went_in_comes_out(server: Server) -> None:
    sent: list[bytes] = []
    talks = [(server.connect("smtp").hello(), False), (server.connect("lmtp").hello(b"LHLO"), False),
             (server.connect("smtp").hello(), True)]  # fmt: skip
    for seed in range(500):
        talk, bdat = talks[seed % 3]
        octets = generated(seed)
        assert deliver(talk, octets, bdat=bdat)[0] == 250
        sent.append(octets)
    talk, _ = talks[0]
    refused = 0
    for path in sorted(p for p in CORPUS.rglob("*") if p.is_file() and p.name != "COPYING"):
        octets = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        code = deliver(talk, octets, bdat=False)[0]
        if b"\r" in octets.replace(b"\r\n", b"") or b"\0" in octets:
            assert code == 550, path
            refused += 1
            talk.close()
            talk = server.connect().hello()
            continue
        assert code == 250, path
        sent.append(octets if octets.endswith(b"\r\n") else octets + b"\r\n")
    assert refused == 1
    for opened in (talk, *(t for t, _ in talks)):
        opened.close()
    found = server.mails()
    assert len(found) == len(sent)
    for kept, octets in zip(found, sent, strict=True):
        trace = kept[: len(kept) - len(octets)]
        assert kept.endswith(octets)
        assert trace.startswith(b"Return-Path: <a@a.test>\r\nReceived: from a.test ([127.0.0.1])\r\n")
        assert trace.endswith(b" +0000\r\n")
