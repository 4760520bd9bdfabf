"""Commands that change keys, killed at their N-th write or fsync: what they are about is as before, or done."""

import asyncio
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailstead.accounts.archives import open_archives
from mailstead.accounts.login import unlock
from mailstead.accounts.opening import Credential
from mailstead.accounts.provision import Office
from mailstead.crypto.serverkey import ServerKey
from mailstead.crypto.slots import Cost
from mailstead.errors import MailError, Reason
from mailstead.secretmem import Arena
from mailstead.store.opening import StoreSettings, open_database
from tests.support.house import read_both_ways
from tests.support.server import COMMAND, ENVIRONMENT, PASSWORD, Server, broken

STRACE = shutil.which("strace")
pytestmark = [
    pytest.mark.system, pytest.mark.faults,
    pytest.mark.skipif(STRACE is None, reason="strace is not installed"),
]  # fmt: skip
STEP = 1 if os.environ.get("MAILSTEAD_FAULTS") == "full" else 5
CALLS = "pwrite64,fdatasync,fsync,ftruncate,unlink"
ANN, NEW = "ann@b.test", "quite another one"
MAIL = [b"Subject: one\r\n\r\nabsorbed\r\n", b"Subject: two\r\n\r\nwaits\r\n"]


@dataclass
class Home:
    """An account with a password, words, an app password, and mail."""

    server: Server
    words: str
    app: str
    app_id: str
    copies: int = field(default=0)

    def credentials(self) -> dict[str, Credential]:
        return {
            "password": Credential.password(PASSWORD.encode()), "new": Credential.password(NEW.encode()),
            "words": Credential.words(self.words), "app": Credential.password(self.app.encode()),
        }  # fmt: skip

    def copy(self) -> Path:
        """A data folder with everything, for one command to be killed in."""
        self.copies += 1
        folder = self.server.folder.with_name(f"copy{self.copies}")
        shutil.copytree(self.server.folder, folder, ignore=shutil.ignore_patterns("run"))
        (folder / "data" / "run").mkdir(mode=0o700)
        return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    server = (
        Server(tmp_path_factory.mktemp("killed") / "box", users=("bob@b.test",), listen=("lmtp",))
        .make()
        .start()
    )
    added = server.run("user", "add", ANN, "--password-file", "-", "--json", stdin=PASSWORD.encode())
    words = " ".join(json.loads(added.stdout)["recovery_words"])
    made = server.run(
        "key", "app", "add", ANN, "phone", "--password-file", "-", "--json", stdin=PASSWORD.encode()
    )
    app = json.loads(made.stdout)
    for octets in MAIL:
        talk = server.connect("lmtp").hello(b"LHLO")
        for line, code in (
            (b"MAIL FROM:<x@y.test>", 250),
            (f"RCPT TO:<{ANN}>".encode(), 250),
            (b"DATA", 354),
        ):
            assert talk.command(line)[0] == code
        assert talk.command(octets + b".")[0] == 250
        talk.close()
    assert server.stop() == 0
    for name, text in (("password", PASSWORD), ("new", NEW)):
        (server.folder / name).write_text(text)
    return Home(server, words, app["password"], app["id"])


async def found(home: Home, folder: Path) -> tuple[set[str], list[bytes]]:
    """Which credentials open mail, and all mail, also what a reset locked away."""
    database = open_database(StoreSettings(folder / "data"))
    key = ServerKey((folder / "server.key").read_bytes())
    office = Office(database, key, Arena(256), Cost(), time.time)
    try:
        opens = [name for name, c in home.credentials().items() if await _opens(office, c)]
        assert opens, "somebody gets in"
        first = home.credentials()[opens[0]]
        if opens == ["new"] and not await _mail(office, first):
            await open_archives(office, ANN, first, home.credentials()["words"])
            opens.append("archive")
        return set(opens), sorted(await _mail(office, first))
    finally:
        await database.close()


async def _opens(office: Office, credential: Credential) -> bool:
    try:
        (await unlock(office, ANN, credential)).close()
    except MailError as error:
        if error.reason is not Reason.LOGIN_FAILED:
            raise
        return False
    return True


async def _mail(office: Office, credential: Credential) -> list[bytes]:
    account = await unlock(office, ANN, credential)
    mail: list[bytes] = []
    for mailbox in await account.mailboxes():
        async for message in account.messages(mailbox.id):
            octets = await read_both_ways(account, message)
            mail.append(octets[message.a.trace_octets :])
    account.close()
    return mail


BEFORE = {"password", "words", "app"}
ACTS = {
    "password": (("user", "password", ANN, "--password-file", "password", "--new-password-file", "new"),
                 {"new", "words", "app"}),
    "revoke": (("key", "revoke", ANN, "phone", "--password-file", "password"), {"password", "words"}),
    "rotate": (("key", "rotate", ANN, "--password-file", "password"), BEFORE),
    "reset": (("user", "reset", ANN, "--password-file", "new", "--yes", "--json"), {"new", "archive"}),
}  # fmt: skip


def killed(home: Home, act: str, number: int, env: dict[str, str]) -> tuple[Path, int]:
    """The folder in which a command was killed at its call of that *number*, and how it ended."""
    folder = home.copy()
    done = subprocess.run(
        [STRACE, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={CALLS}",
         "-e", f"inject={CALLS}:signal=SIGKILL:when={number}", *COMMAND,
         "--config", str(folder / "mailstead.toml"), *ACTS[act][0]],
        cwd=folder, capture_output=True, env=ENVIRONMENT | env, timeout=60,
    )  # fmt: skip
    return folder, done.returncode


@pytest.mark.parametrize("act", sorted(ACTS))
def test_a_command_that_is_killed_did_all_or_nothing(home: Home, act: str) -> None:
    after = ACTS[act][1]
    kills, states = 0, set[bool]()
    for number in range(1, 1000, STEP):
        folder, code = killed(home, act, number, {})
        kills += code != 0
        opens, mail = asyncio.run(found(home, folder))
        assert opens in (BEFORE, after), (number, opens)
        assert mail == sorted(MAIL), number
        states.add(opens == after)
        shutil.rmtree(folder)
        if code == 0:
            assert opens == after
            break
    assert kills >= 3, "there were kills in the middle"
    assert True in states, "and one run came to its end"


def test_a_change_in_many_transactions_is_found(home: Home) -> None:
    """The control: each statement is a transaction of its own."""
    halves = 0
    for number in range(1, 1000, STEP):
        folder, code = killed(home, "password", number, broken("statements"))
        try:
            halves += asyncio.run(found(home, folder)) not in (
                (BEFORE, sorted(MAIL)), (ACTS["password"][1], sorted(MAIL)),
            )  # fmt: skip
        except (AssertionError, MailError):
            halves += 1
        shutil.rmtree(folder)
        if code == 0:
            break
    assert halves, "a kill between two of them is seen"
