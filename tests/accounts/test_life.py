"""A whole life of keys, in any order, with kills: what should open opens, nothing else does, no mail is lost.

A kill comes before a transaction or right after it: then nothing of the process is left but the
database, and the act was done or was not. That a transaction is one is proven by killing at every
system call (tests/system/test_durability.py).
"""

import asyncio
import contextlib
import os
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import LiteralString, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mailstead.accounts import apppasswords
from mailstead.accounts.archives import open_archives
from mailstead.accounts.escrow import EscrowSeed, grant, let_back_in
from mailstead.accounts.login import unlock
from mailstead.accounts.newways import INVITATION_SECONDS, change_password, join, set_words
from mailstead.accounts.opening import Credential, open_way
from mailstead.accounts.resealing import reseal_once
from mailstead.accounts.resetting import reset
from mailstead.accounts.rotation import rotate
from mailstead.crypto import escrow, newslots, passwords, slots
from mailstead.crypto.slots import MAIL, READ_ONLY, SUBMIT_ONLY, Scope
from mailstead.errors import MailError, Reason, UnsealError
from mailstead.store.accounts import Stale
from mailstead.store.archives import archives
from mailstead.store.database import Database, Row, SqlValue, Tx, Work
from mailstead.store.opening import StoreSettings, open_database
from mailstead.store.records import LostRace
from mailstead.store.slots import slots as ways
from tests.support.house import PASSWORD, House, read_both_ways

T = TypeVar("T")
ANN = "ann@b.test"
FULL = os.environ.get("MAILSTEAD_CASES") == "full"
SEED = EscrowSeed(escrow.new_seed())


class Killed(BaseException):
    """The process is gone."""


class Mortal:
    """A database whose process dies before its n-th write from now, or right after it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.writes_left: int | None = None
        self.after = False

    async def read(self, work: Work[T]) -> T:
        return await self._database.read(work)

    async def write(self, work: Work[T]) -> T:
        if self.writes_left is None:
            return await self._database.write(work)
        self.writes_left -= 1
        if self.writes_left == 0 and not self.after:
            raise Killed
        result = await self._database.write(work)
        if self.writes_left == 0:
            raise Killed
        return result

    async def write_group(self, prepare: Callable[[], Work[T]]) -> T:
        return await self._database.write_group(prepare)

    async def truncate_log(self) -> None:
        await self._database.truncate_log()

    async def close(self) -> None:
        await self._database.close()


class Halving(Mortal):
    """The control: a database that keeps the first two changes of the transaction that it dies in."""

    async def write(self, work: Work[T]) -> T:
        if self.writes_left == 1:
            await self._database.write(partial(_half, work))
        return await super().write(work)


class _Enough(Exception):
    """Two changes were made."""


def _half(work: Work[T], tx: Tx) -> None:
    with contextlib.suppress(_Enough):
        work(_HalfTx(tx))


class _HalfTx:
    """A transaction that ends at its third change."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.now = tx.now
        self._changes = 0

    def execute(self, sql: LiteralString, parameters: Sequence[SqlValue] = ()) -> list[Row]:
        self._count(sql)
        return self._tx.execute(sql, parameters)

    def execute_many(self, sql: LiteralString, rows: Sequence[Sequence[SqlValue]]) -> list[Row]:
        self._count(sql)
        return self._tx.execute_many(sql, rows)

    def _count(self, sql: str) -> None:
        self._changes += not sql.lstrip().startswith("SELECT")
        if self._changes > 2:
            raise _Enough


@dataclass(frozen=True)
class Locked:
    """What a reset locked away."""

    words: tuple[str, ...] | None
    by_escrow: bool
    mail: tuple[bytes, ...]


@dataclass(frozen=True)
class Life:
    """What should be so."""

    password: bytes | None
    words: tuple[str, ...] | None  # None: nobody knows them
    apps: dict[str, tuple[bytes, Scope]] = field(default_factory=dict)
    escrow: bool = False
    invitation: bytes | None = None
    archives: tuple[Locked, ...] = ()
    mail: tuple[bytes, ...] = ()

    def credentials(self) -> dict[Credential, Scope]:
        """What opens, and what for."""
        found = {Credential.password(octets): scope for octets, scope in self.apps.values()}
        if self.password is not None:
            found[Credential.password(self.password)] = slots.FULL
        if self.words is not None:
            found[Credential.words(" ".join(self.words))] = slots.FULL
        if self.invitation is not None:
            found[Credential.invitation(self.invitation)] = slots.FULL
        return found

    def reset(self, password: bytes | None, words: tuple[str, ...] | None, code: bytes | None) -> "Life":
        locked = Locked(self.words, self.escrow, self.mail)
        return Life(password, words, invitation=code, archives=(*self.archives, locked))

    def recovered(self, opened: Callable[[Locked], bool]) -> "Life":
        kept = tuple(a for a in self.archives if not opened(a))
        back = tuple(m for a in self.archives if opened(a) for m in a.mail)
        return replace(self, archives=kept, mail=self.mail + back)


class Lives(RuleBasedStateMachine):
    """One account."""

    DATABASE = Mortal

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.later = 0.0
        self.numbers = 0
        self.dead: dict[Credential, None] = {}
        self.life = Life(PASSWORD, None)
        self.path = Path(self.folder.name)
        self.writing: asyncio.Task[None] | None = None
        self.runner.run(self._open())
        self.runner.run(self._boot())

    async def _open(self) -> None:
        for name in ("run", "spool"):
            (self.path / name).mkdir()
        self.database = open_database(StoreSettings(self.path, None))
        self.mortal = self.DATABASE(self.database)

    async def _boot(self) -> None:
        """A new process: nothing is left but the database, the server key and the clock."""
        await self._stop()
        self.house = House(self.mortal, self.path)  # type: ignore[arg-type]
        self.house.office = replace(self.house.office, now=lambda: time.time() + self.later)
        self.writing = asyncio.create_task(self.house.batch.run())

    async def _stop(self) -> None:
        if self.writing is not None:
            self.writing.cancel()
            await asyncio.gather(self.writing, return_exceptions=True)

    def teardown(self) -> None:
        self.runner.run(self._stop())
        self.runner.run(self.database.close())
        self.runner.close()
        self.folder.cleanup()

    # What happens.

    @initialize()
    def move_in(self) -> None:
        made = self.runner.run(self.house.move_in())
        self.life = replace(self.life, words=made.words)

    def _new(self) -> bytes:
        self.numbers += 1
        return b"secret %d" % self.numbers

    def _root(self) -> Credential:
        """A credential that opens the root."""
        return next(c for c, scope in self.life.credentials().items() if Scope.KEYS in scope)

    def _act(self, act: Callable[[], Awaitable[object]], after: Life, kill: int) -> None:
        """Do it, or be killed in it; then the world is as it was, or as it should be *after*."""
        before, mortal = self.life, self.mortal
        gone = before.credentials().keys() - after.credentials().keys()
        mortal.writes_left, mortal.after = (kill + 1) // 2 or None, kill % 2 == 0

        async def run() -> bool:
            try:
                await act()
            except Killed:
                return True
            return False

        killed = self.runner.run(run())
        mortal.writes_left = None
        if not killed:
            self._become(after, gone)
            return
        self.runner.run(self._boot())
        known = before.credentials().keys() | after.credentials().keys()
        found = [(life, self.runner.run(self._differences(life, known))) for life in (before, after)]
        fits = [life for life, differences in found if not differences]
        assert len(fits) == 1 or (fits and before.credentials() == after.credentials()), found
        self._become(fits[0], gone if fits[0] is after else set())

    def _become(self, life: Life, gone: set[Credential]) -> None:
        self.life = life
        self.dead.update(dict.fromkeys(gone))

    KILLS = st.sampled_from((0, 0, 0, 1, 2, 3, 4))

    @rule(kill=KILLS, compromised=st.booleans())
    def change_the_password(self, kill: int, compromised: bool) -> None:
        new, proof = self._new(), self._root()
        after = replace(self.life, password=new)
        self._act(
            lambda: change_password(self.house.office, ANN, proof, new, compromised=compromised), after, kill
        )

    @rule(kill=KILLS)
    def change_the_words(self, kill: int) -> None:
        words, proof = passwords.new_words(), self._root()
        after = replace(self.life, words=words)
        self._act(lambda: set_words(self.house.office, ANN, proof, words), after, kill)

    @precondition(lambda self: len(self.life.apps) < 3)
    @rule(scope=st.sampled_from((MAIL, READ_ONLY, SUBMIT_ONLY)))
    def add_an_app_password(self, scope: Scope) -> None:
        self.numbers += 1
        name = f"app {self.numbers}"
        made = self.runner.run(self.house.app(name, scope, credential=self._root()))
        self._become(replace(self.life, apps=self.life.apps | {name: (made, scope)}), set())

    @precondition(lambda self: self.life.apps)
    @rule(kill=KILLS, which=st.integers(0, 2))
    def revoke_an_app_password(self, kill: int, which: int) -> None:
        names = sorted(self.life.apps)
        name, proof = names[which % len(names)], self._root()
        after = replace(self.life, apps={n: a for n, a in self.life.apps.items() if n != name})
        self._act(lambda: apppasswords.revoke(self.house.office, ANN, proof, name), after, kill)

    @rule(kill=KILLS)
    def rotate(self, kill: int) -> None:
        proof = self._root()

        async def act() -> None:
            (await rotate(self.house.office, ANN, proof)).keys.close()

        self._act(act, self.life, kill)

    @precondition(lambda self: not self.life.escrow)
    @rule(kill=KILLS)
    def grant_escrow(self, kill: int) -> None:
        proof, key = self._root(), escrow.public_half(SEED.octets)
        self.numbers += 1
        name = f"Ltd {self.numbers}"
        after = replace(self.life, escrow=True)
        self._act(lambda: grant(self.house.office, ANN, proof, key, name), after, kill)

    @precondition(lambda self: self.life.escrow)
    @rule()
    def be_let_back_in(self) -> None:
        code = self.runner.run(let_back_in(self.house.office, ANN, SEED)).code
        gone = {Credential.invitation(self.life.invitation)} if self.life.invitation else set()
        self._become(replace(self.life, invitation=code), gone)

    @precondition(lambda self: self.life.invitation)
    @rule(kill=KILLS)
    def join_by_the_invitation(self, kill: int) -> None:
        code, new = Credential.invitation(self.life.invitation or b""), self._new()
        words: list[tuple[str, ...]] = []

        async def act() -> None:
            words.append((await join(self.house.office, ANN, code, new)).words)

        after = replace(self.life, password=new, invitation=None)
        self._act(act, after, kill)
        if words and words[0]:
            self.life = replace(self.life, words=words[0])

    @rule(kill=KILLS, inviting=st.booleans())
    def reset(self, kill: int, inviting: bool) -> None:
        new = None if inviting else self._new()
        if kill and inviting:
            return  # nobody would ever know the invitation
        done: list[tuple[bytes, tuple[str, ...]]] = []

        async def act() -> None:
            made = await reset(self.house.office, ANN, new)
            done.append((made.code, made.words))

        before = self.life
        if kill:
            self._act(act, before.reset(new, None, None), kill)
        else:
            self.runner.run(act())
            self._become(before.reset(new, None, done[0][0] or None), set(before.credentials()))
        if done and done[0][1]:
            self.life = replace(self.life, words=done[0][1])

    @precondition(lambda self: any(a.words for a in self.life.archives))
    @rule(kill=KILLS, which=st.integers(0, 3))
    def recover_by_words(self, kill: int, which: int) -> None:
        known = [a.words for a in self.life.archives if a.words]
        words = known[which % len(known)]
        proof, credential = self._root(), Credential.words(" ".join(words))
        after = self.life.recovered(lambda a: a.words == words)
        self._act(lambda: open_archives(self.house.office, ANN, proof, credential), after, kill)

    @precondition(lambda self: any(a.by_escrow for a in self.life.archives))
    @rule(kill=KILLS)
    def recover_by_escrow(self, kill: int) -> None:
        proof = self._root()
        after = self.life.recovered(lambda a: a.by_escrow)
        self._act(lambda: open_archives(self.house.office, ANN, proof, SEED), after, kill)

    @rule(count=st.integers(1, 3))
    def receive(self, count: int) -> None:
        for _ in range(count):
            octets = b"Subject: mail\r\n\r\n%s\r\n" % self._new()
            (answer,) = self.runner.run(self.house.deliver(octets))
            assert isinstance(answer, str)
            self.life = replace(self.life, mail=(*self.life.mail, octets))

    @rule(kill=KILLS)
    def absorb_and_seal_again(self, kill: int) -> None:
        proof = self._root()

        async def act() -> None:
            account = await unlock(self.house.office, ANN, proof)
            try:
                for mailbox in await account.mailboxes():
                    await account.absorb(mailbox.id)
                while await reseal_once(self.mortal, account._online.keys):  # type: ignore[arg-type]
                    pass
            finally:
                account.close()

        self._act(act, self.life, kill)

    @rule()
    def a_week_goes_by(self) -> None:
        self.later += INVITATION_SECONDS + 1
        if self.life.invitation is not None:  # it was for a week
            self._become(replace(self.life, invitation=None), {Credential.invitation(self.life.invitation)})
            if self.life.password is None and self.life.words is None:
                self.reset(0, inviting=False)

    # What must be so.

    @invariant()
    def everything_is_as_it_should_be(self) -> None:
        if self.life.words is not None or self.numbers:
            assert self.runner.run(self._differences(self.life)) == []

    async def _differences(self, life: Life, known: AbstractSet[Credential] = frozenset()) -> list[str]:
        """In what the world is not as *life* says.

        Args:
            known: What may be credentials or may not; those of before that are dead are tried all the same.
        """
        found: list[str] = []
        expected = life.credentials()
        for credential, scope in expected.items():
            if (opened := await self._opens(credential)) != scope:
                found.append(f"{credential.type.name} opens {opened}, and should open {scope}")
        for credential in (self.dead.keys() | known) - expected.keys():
            if await self._opens(credential) is not None:
                found.append(f"{credential.type.name} of before opens")
        granted = await self.database.read(
            lambda tx: any(s.type == slots.SlotType.ESCROW for s in ways(tx, 1))
        )
        if granted != life.escrow:
            found.append(f"escrow: {granted}, and should be {life.escrow}")
        locked = len(await self.database.read(lambda tx: archives(tx, 1)))
        if locked != len(life.archives):
            found.append(f"{locked} archives, and should be {len(life.archives)}")
        reader = next((c for c, scope in expected.items() if Scope.READ in scope), None)
        if reader is not None and not found:
            mail = await self._mail(reader)
            if mail != Counter(life.mail):
                found.append(f"{mail - Counter(life.mail)} too much, {Counter(life.mail) - mail} missing")
        return found

    async def _opens(self, credential: Credential) -> Scope | None:
        """What a credential opens; what opens mail has to open it."""
        try:
            way = await open_way(self.house.office, ANN, credential)
        except MailError as error:
            if error.reason is not Reason.LOGIN_FAILED:
                raise
            return None
        assert (way.payload is not None) == (Scope.READ in way.scope)
        way.release()
        if Scope.READ in way.scope:
            (await unlock(self.house.office, ANN, credential)).close()
        return way.scope

    async def _mail(self, credential: Credential) -> Counter[bytes]:
        account = await unlock(self.house.office, ANN, credential)
        try:
            found = Counter[bytes]()
            for mailbox in await account.mailboxes():
                async for message in account.messages(mailbox.id):
                    octets = await read_both_ways(account, message)
                    found[octets[message.a.trace_octets :]] += 1
            return found
        finally:
            account.close()


class HalfLives(Lives):
    """On a database whose transactions are none."""

    DATABASE = Halving


@pytest.fixture
def cheap_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of recovery words is not what this is about."""
    for module in (slots, newslots):
        monkeypatch.setattr(module, "RECOVERY_M_KIB", 64)
        monkeypatch.setattr(module, "RECOVERY_T", 1)


def lives(machine: type[Lives], count: int, steps: int, *phases: Phase) -> None:
    case = machine.TestCase
    case.settings = settings(
        max_examples=count, stateful_step_count=steps, deadline=None, phases=phases or tuple(Phase),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    case().runTest()


@pytest.mark.usefixtures("cheap_words")
def test_any_life() -> None:
    lives(Lives, *((200, 40) if FULL else (12, 20)))


@pytest.mark.usefixtures("cheap_words")
def test_half_a_transaction_is_found() -> None:
    with pytest.raises((AssertionError, MailError, UnsealError, Stale, LostRace)):
        lives(HalfLives, 12, 20, Phase.generate)
