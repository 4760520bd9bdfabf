"""The hostile inputs of cases.yaml that concern sealed storage, memory and logs.

What another test asserts already is named, and that test must be there; the others are here.
"""

import json
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mailstead.accounts.provision import remove_account
from mailstead.crypto import primitives
from mailstead.errors import Reason, Refused, Unavailable, UnsealError
from mailstead.store import accounts as rows
from mailstead.store.database import Database, Tx
from mailstead.store.opening import FILE
from tests.support.house import PASSWORD, House, house
from tests.support.imaptalk import ImapTalk
from tests.support.server import PASSWORD as TYPED
from tests.support.server import Server

ROOT = Path(__file__).parent.parent.parent
CASES = [
    case["id"]
    for case in yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text())["cases"]
    if case["area"] in ("crypto-storage", "leak-memory-logs")
]
ELSEWHERE = {
    "CRY-001": "tests/system/test_plaintext.py::test_no_canary_is_on_the_disk",
    "CRY-003": "tests/accounts/test_tampering.py::test_any_two_sealed_values_swapped_are_refused",
    "CRY-004": "tests/accounts/test_tampering.py::test_any_two_rows_whose_sealed_values_are_swapped_are_refused",
    "CRY-007": "tests/accounts/test_leaves.py::test_what_is_not_as_it_was_left_is_said",
    "CRY-008": "tests/system/test_verify.py::test_a_database_that_was_set_back_is_known_by_the_ledger",
    "CRY-009": "tests/accounts/test_chain.py::test_what_was_taken_away_is_missed",
    "CRY-010": "tests/accounts/test_login.py::test_the_owner_finds_a_delivery_key_that_is_not_his",
    "CRY-017": "tests/crypto/test_vectors.py::test_padme",
    "CRY-021": "tests/accounts/test_ways_back.py::test_a_reset_locks_mail_away_and_new_mail_works_at_once",
    "CRY-022": "tests/accounts/test_ways_back.py::test_the_words_of_before_bring_the_mail_back",
    "CRY-023": "tests/accounts/test_presence.py::test_nothing_of_an_expunged_message_stays_in_the_log",
    "CRY-026": "tests/accounts/test_accepting.py::test_what_is_accepted_can_be_used",
    "CRY-027": "tests/system/test_serve.py::test_a_second_server_and_a_wrong_key_are_refused",
    "CRY-028": "tests/accounts/test_tampering.py::test_mail_to_who_has_no_key_is_put_off",
    "CRY-029": "tests/system/test_plaintext.py::test_a_server_killed_in_the_middle_of_a_large_message_leaves_nothing",
    "CRY-032": "tests/crypto/test_own_vectors.py::test_an_invitation",
    "LEK-001": "tests/system/test_commands.py::test_secrets_are_in_no_argument_and_no_log",
    "LEK-004": "tests/test_secretmem.py::test_a_hardened_process_is_not_dumped_and_leaves_no_core",
    "LEK-005": "tests/test_secretmem.py::test_the_kernel_gives_it_to_nobody",
    "LEK-006": "tests/system/test_commands.py::test_secrets_are_in_no_argument_and_no_log",
}
NOT_HERE = {
    "CRY-013": "every message has a key of its own, and a record of 2^31 octets is above every limit",
    "CRY-025": "backups", "CRY-030": "the outgoing queue", "LEK-008": "metrics",
}  # fmt: skip
LETTER = b"Subject: letter\r\n\r\nkanarie-0815\r\n"


def test_every_case_is_run_or_listed() -> None:
    here = {
        match[1].upper().replace("_", "-")
        for name in globals()
        if (match := re.match(r"test_(cry_\d+|lek_\d+)", name))
    }
    assert set(CASES) == here | set(ELSEWHERE) | set(NOT_HERE)
    assert len(CASES) == len(here) + len(ELSEWHERE) + len(NOT_HERE)


@pytest.mark.parametrize("node", sorted(set(ELSEWHERE.values())))
def test_what_is_asserted_elsewhere_is_there(node: str) -> None:
    path, name = node.split("::")
    assert re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE)


async def absorbed(h: House, address: str = "ann@b.test") -> None:
    await h.move_in(address)
    await h.deliver(LETTER, address)
    account = await h.unlock(address)
    await account.absorb(await h.inbox(account))
    account.close()


async def read(h: House, address: str = "ann@b.test") -> list[bytes]:
    account = await h.unlock(address)
    try:
        return list((await h.read_all(account)).values())
    finally:
        account.close()


async def test_cry_006_bitflip_every_byte(sqlite: Database, tmp_path: Path) -> None:
    """No octet of a page, of flags, of a body can be changed; the mail of others is as it was."""
    async with house(sqlite, tmp_path) as h:
        await absorbed(h)
        await absorbed(h, "ben@b.test")
        for table in ("page", "state", "extent"):
            ((rowid, octets),) = await sqlite.read(
                lambda tx, table=table: tx.execute(
                    f"SELECT rowid, octets FROM {table} WHERE account_id = 1 LIMIT 1"
                )
            )
            step = max(1, len(octets) // 64)
            for at in {*range(0, len(octets), step), *range(60), len(octets) - 1}:
                changed = octets[:at] + bytes((octets[at] ^ 0x10,)) + octets[at + 1 :]
                await put(sqlite, table, rowid, changed)
                with pytest.raises((UnsealError, Refused)):
                    await read(h)
            await put(sqlite, table, rowid, octets)
            assert await read(h) == [LETTER]
        assert await read(h, "ben@b.test") == [LETTER]


async def put(database: Database, table: str, rowid: int, octets: bytes) -> None:
    await database.write(
        lambda tx: tx.execute(f"UPDATE {table} SET octets = ? WHERE rowid = ?", (octets, rowid))
    )


async def test_cry_011_recipient_mixup(database: Database, tmp_path: Path) -> None:
    """A message to two: each copy is sealed to its owner, under other keys, and opens with no other."""
    async with house(database, tmp_path) as h:
        for address in ("ann@b.test", "ben@b.test"):
            await h.move_in(address)
        await h.deliver(LETTER, "ann@b.test", "ben@b.test")
        sealed = await database.read(
            lambda tx: [bytes(r[0]) for r in tx.execute("SELECT summary FROM pending ORDER BY account_id")]
        )
        assert len(set(sealed)) == 2
        assert await read(h) == await read(h, "ben@b.test") == [LETTER]

        def swap(tx: Tx) -> None:
            for account_id, summary in enumerate(reversed(sealed), 1):
                tx.execute("UPDATE pending SET summary = ? WHERE account_id = ?", (summary, account_id))

        await database.write(swap)
        for address in ("ann@b.test", "ben@b.test"):
            account = await h.unlock(address)
            with pytest.raises((UnsealError, Refused, AssertionError)):
                assert await h.read_all(account) == {1: LETTER}
            account.close()


def test_cry_014_key_commitment() -> None:
    """What was sealed under one key does not open under another, whatever its octets are made to be."""
    context, one, other = b"context", b"1" * 32, b"2" * 32
    sealed = primitives.seal(one, context, b"text")
    salt_and_commitment = 24 + 32
    crafted = sealed[:salt_and_commitment] + primitives.seal(other, context, b"text")[salt_and_commitment:]
    for octets in (sealed, crafted):
        with pytest.raises(UnsealError):
            primitives.open_kept(other, context, octets)
    assert bytes(primitives.open_kept(one, context, sealed)) == b"text"


@pytest.mark.parametrize("change", ["suite", "state", "flags", "body flags", "empty", "short tag"])
async def test_cry_015_alg_downgrade(sqlite: Database, tmp_path: Path, change: str) -> None:
    """An older suite, a flag that means plaintext, a tag that is gone: refused, nothing is delivered or shown."""
    statements = {
        "suite": "UPDATE epoch_key SET suite = 2",
        "state": "UPDATE epoch_key SET state = 2",
        "flags": "UPDATE pending SET summary_flags = 0",
        "body flags": "UPDATE pending SET body_flags = 0",
        "empty": "UPDATE pending SET summary = CAST('' AS BLOB)",
        "short tag": "UPDATE pending SET summary = SUBSTR(summary, 1, LENGTH(summary) - 12)",
    }
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await h.deliver(LETTER)
        assert await read(h) == [LETTER]
        await sqlite.write(lambda tx: tx.execute(statements[change]))
        if change in ("suite", "state"):
            h.directory._checked.clear()
            with pytest.raises(Unavailable) as caught:
                await h.deliver(LETTER)
            assert caught.value.reason is Reason.DAMAGED
            return
        account = await h.unlock()
        with pytest.raises((UnsealError, Refused, AssertionError)):
            assert list((await h.read_all(account)).values()) == [LETTER]
        account.close()


@pytest.mark.parametrize("table", ["page", "state", "extent", "record", "pending"])
async def test_cry_016_plaintext_injected_row(sqlite: Database, tmp_path: Path, table: str) -> None:
    """Plain mail that somebody writes into the database is served to nobody."""
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await h.deliver(LETTER)
        if table != "pending":
            account = await h.unlock()
            await account.absorb(await h.inbox(account))
            account.close()
        column = "summary" if table == "pending" else "octets"
        planted = b"Subject: planted\r\n\r\nplanted\r\n" * 9
        await sqlite.write(lambda tx: tx.execute(f"UPDATE {table} SET {column} = ?", (planted,)))
        with pytest.raises((UnsealError, Refused, AssertionError)):
            assert await read(h) == [LETTER]


async def test_cry_024_erase_user(sqlite: Database, tmp_path: Path) -> None:
    """Of a removed account no octet of keys or mail is left in a live file; others keep theirs."""
    async with house(sqlite, tmp_path) as h:
        await absorbed(h)
        await absorbed(h, "ben@b.test")

        def sealed(tx: Tx) -> list[bytes]:
            found = [r[0] for r in tx.execute("SELECT octets FROM record WHERE account_id = 1")]
            found += [r[0] for r in tx.execute("SELECT blob FROM slot WHERE account_id = 1")]
            found += [r[0] for r in tx.execute("SELECT octets FROM page WHERE account_id = 1")]
            return [bytes(octets)[-48:] for octets in found]

        pieces = await sqlite.read(sealed)
        live = b"".join(p.read_bytes() for p in tmp_path.glob(f"{FILE}*"))
        assert any(piece in live for piece in pieces), "the search finds what is there"
        await remove_account(h.office, "ann@b.test")
        live = b"".join(p.read_bytes() for p in tmp_path.glob(f"{FILE}*"))
        assert [piece for piece in pieces if piece in live] == []
        assert await read(h, "ben@b.test") == [LETTER]


async def test_cry_031_random_source(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without random octets nothing is made up: the act fails, and what was there is as it was."""
    async with house(sqlite, tmp_path) as h:
        await h.move_in()
        await h.deliver(LETTER)

        def broken(_: int) -> bytes:
            raise OSError("no entropy")

        with monkeypatch.context() as patched:
            patched.setattr(os, "urandom", broken)
            with pytest.raises(OSError, match="no entropy"):
                await h.move_in("ben@b.test")
            with pytest.raises(BaseException):
                assert isinstance((await h.deliver(LETTER))[0], str)
        assert await sqlite.read(lambda tx: len(rows.list_accounts(tx))) == 1
        assert await read(h) == [LETTER]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(
        tmp_path_factory.mktemp("keycases") / "box", listen=("smtp", "imap"),
        auth="insecure_plaintext_login = true", wrap=("sh", "-c", 'umask 000; exec "$@"', "sh"),
    ).make().start()  # fmt: skip
    yield made
    assert made.stop() == 0


@pytest.mark.system
def test_lek_002_log_injection(server: Server) -> None:
    """Whatever a stranger sends, the log has one line of JSON for an event, of 4 KiB at most."""
    talk = server.connect("smtp")
    talk.reply()
    for line in (
        b"EHLO \x1b]0;owned\x07", "EHLO \u2028x".encode(), b"EHLO " + b"x" * 900,
        b"MAIL FROM:<a\x1b[2Jb@c.test>", b'{"event": "forged"}', b"VRFY \xff\xfe\x80",
    ):  # fmt: skip
        talk.command(line)
    talk.close()
    talk = ImapTalk(server.ports["imap"])
    for name in (
        b'"a} {b"',
        b'"\x1b]0;x\x07"',
        b'"' + "\u2028\u202e".encode() + b'"',
        b'"' + b"n" * 900 + b'"',
    ):
        assert talk.ask(b"LOGIN " + name + b" x").status in (b"NO", b"BAD")
    talk.close()
    lines = server.read_log().split("\n")
    assert len(lines) > 4
    for line in filter(None, lines):
        if line.startswith("***"):
            continue
        event = json.loads(line)
        assert event["event"] != "forged"
        assert len(line.encode()) <= 4096
        assert all(c.isprintable() for c in line)


@pytest.mark.system
def test_lek_003_exception_leak(server: Server) -> None:
    """A fault inside of a command is an error without words of ours; locals and SQL stay out of the log."""
    talk = ImapTalk(server.ports["imap"]).log_in("ann@b.test")
    with sqlite3.connect(server.data / FILE, timeout=20) as connection:
        connection.execute("UPDATE record SET octets = CAST('broken' AS BLOB), write_id = ?", (bytes(16),))
    connection.close()
    said = [talk.ask(command) for command in (b'LIST "" *', b"SELECT INBOX", b"CREATE x")]
    talk.close()
    assert any(answer.status != b"OK" for answer in said)
    answer = repr(said).encode()
    for octets in (answer, server.read_log().encode()):
        for secret in (b"SELECT ", b"UPDATE ", b"Traceback", b"broken", TYPED.encode(), PASSWORD, b'File "'):
            assert secret not in octets, (secret, octets[-2000:])


@pytest.mark.system
def test_lek_009_umask_perms(server: Server) -> None:
    """Whoever starts it with a umask of 000 opens nothing to others."""
    found = [server.data, *server.data.rglob("*")]
    assert any(path.is_socket() for path in found)
    for path in found:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0, (path, oct(mode))
