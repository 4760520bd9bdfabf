"""What a worker's memory still holds of an account's keys when its last session is gone."""

import asyncio
import poplib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailstead.accounts.login import Credential, unlock_root
from mailstead.accounts.waysin import root_ring
from mailstead.cli.office import open_office
from mailstead.config import load
from mailstead.crypto.keyring import read_key
from mailstead.crypto.primitives import expand
from mailstead.crypto.records import LABELS
from mailstead.crypto.slots import SlotType
from tests.support.imaptalk import ImapTalk
from tests.support.server import PASSWORD, Server, broken

pytestmark = pytest.mark.system
USER = "ann@b.test"
PIECE = 16  # octets of a key that are looked for: half of one is not less of a finding


def keys_of(server: Server) -> dict[str, bytes]:
    """Every long-lived secret that a session of `USER` needs, by what it is."""

    async def opened() -> dict[str, bytes]:
        office = await open_office(load(str(server.config)))
        try:
            unlocked = await unlock_root(office, USER, Credential(SlotType.PASSWORD, PASSWORD.encode()))
            with unlocked.root as root:
                account = unlocked.account
                ring = await office.database.read(lambda tx: root_ring(tx, account, root.view))
                found = {
                    "the root": bytes(root.view),
                    "the read key": bytes(read_key(root.view, account.root_gen, account.read_gen)),
                }
                for epoch in ring.epochs:
                    found[f"the seed of epoch {epoch.number}"] = epoch.xwing_seed
                    found[f"the store key of epoch {epoch.number}"] = epoch.store_key
                    for label in set(LABELS.values()):
                        found[f"{label!r} of epoch {epoch.number}"] = expand(epoch.store_key, label)
                return found
        finally:
            await office.database.close()

    return asyncio.run(opened())


def writable(pid: int) -> Iterator[bytes]:
    """Each readable area of a process that it can write to."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            area = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if area is None:
                continue
            start, end = int(area[1], 16), int(area[2], 16)
            try:
                memory.seek(start)
                yield memory.read(end - start)
            except OSError:
                continue  # a secret area: nobody reads it


def found_in(areas: Iterator[bytes], keys: dict[str, bytes]) -> set[str]:
    pieces = {name: (key[:PIECE], key[-PIECE:]) for name, key in keys.items()}
    return {name for area in areas for name, both in pieces.items() if any(piece in area for piece in both)}


def live_a_session(server: Server) -> None:
    """What an owner does by IMAP and POP3, and leave."""
    for n in range(5):
        talk = server.connect().hello()
        talk.send(b"MAIL FROM:<>\r\nRCPT TO:<" + USER.encode() + b">\r\nDATA\r\n")
        assert [talk.reply()[0] for _ in range(3)] == [250, 250, 354]
        talk.send(b"Subject: letter %d\r\n\r\n%b\r\n.\r\n" % (n, b"xxx xxx\r\n" * 9000))
        assert talk.reply()[0] == 250
        talk.close()
    session = ImapTalk(server.ports["imap"]).log_in(USER)
    session.ok(b"CREATE Kept")
    session.ok(b"SELECT INBOX")
    for command in (
        b"FETCH 1:* (FLAGS ENVELOPE BODY[])", rb"STORE 1:* +FLAGS (\Seen)", b"SEARCH TEXT xxx", b"SORT (SUBJECT) UTF-8 ALL",
        b"COPY 1:2 Kept", b"MOVE 3 Kept", b'SETMETADATA INBOX (/private/comment "x")', b"LOGOUT",
    ):  # fmt: skip
        session.ok(command)
    session.close()
    drop = poplib.POP3("127.0.0.1", server.ports["pop3"])
    drop.user(USER)
    drop.pass_(PASSWORD)
    drop.retr(1)
    drop.dele(1)
    drop.quit()
    time.sleep(1)


def lived(folder: Path, env: dict[str, str]) -> tuple[Server, dict[str, bytes]]:
    auth = "insecure_plaintext_login = true"
    server = Server(folder / "box", listen=("smtp", "imap", "pop3"), auth=auth, env=env).make().start()
    keys = keys_of(server)
    live_a_session(server)
    return server, keys


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, bytes]]]:
    server, keys = lived(tmp_path_factory.mktemp("memory"), {})
    yield server, keys
    server.stop()


def test_no_key_is_left_when_its_owner_has_gone(after: tuple[Server, dict[str, bytes]]) -> None:
    server, keys = after
    assert len(keys) > 8
    for pid in server.worker_pids():
        assert found_in(writable(pid), keys) == set()


@pytest.mark.skipif(shutil.which("gcore") is None, reason="gcore of gdb is not installed")
def test_a_core_of_the_worker_holds_none(after: tuple[Server, dict[str, bytes]], tmp_path: Path) -> None:
    server, keys = after
    for pid in server.worker_pids():
        core = dump(pid, tmp_path)
        assert found_in(iter((core.read_bytes(),)), keys) == set()


def dump(pid: int, folder: Path) -> Path:
    done = subprocess.run(
        ["gcore", "-o", folder / "core", str(pid)], capture_output=True, timeout=120, check=False
    )
    core = folder / f"core.{pid}"
    assert core.exists(), done.stderr
    return core


def test_the_test_can_fail(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    """The control: a worker that keeps a copy of each store key on its heap."""
    server, keys = lived(tmp_path_factory.mktemp("planted"), broken("keys"))
    (pid,) = server.worker_pids()
    wanted = {name for name in keys if name.startswith("the store key")}
    assert found_in(writable(pid), keys) >= wanted
    if shutil.which("gcore"):
        assert found_in(iter((dump(pid, tmp_path).read_bytes(),)), keys) >= wanted
    server.stop()
