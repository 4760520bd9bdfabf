"""Names of mailboxes: CREATE, DELETE, RENAME, SUBSCRIBE (RFC 9051 sections 6.3.4 to 6.3.8).

Names are one sealed record, so a change of any is a compare-and-swap on it, in one transaction
with the rows it is about. A subscription belongs to the name, not to the mailbox, as the RFC
says: it outlives the mailbox.

What was deleted is invisible and shut at once; its rows are purged a batch at a time, and at the
next login if a crash came between.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from mailstead.accounts import accountleaf, mboxes
from mailstead.accounts.accountleaf import Changed
from mailstead.accounts.keys import SessionKeys
from mailstead.accounts.leaves import first_leaf, seal_leaf
from mailstead.accounts.mboxes import MailboxName, Names, NamesChange, below, check_use, drop, make_superiors
from mailstead.accounts.turns import until_won
from mailstead.crypto.sealed import ZERO_ID, Kind, SealedRecord
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import INBOX, SpecialUse, mailbox_name
from mailstead.store.accounts import fence
from mailstead.store.database import Database, Tx
from mailstead.store.leaves import put_leaf
from mailstead.store.mailboxes import (
    MailboxRow,
    add_mailbox,
    get_mailbox,
    mailboxes,
    mark_deleted,
    next_uid_validity,
)
from mailstead.store.records import get_record, put_record, write_id_of

MOST = 10_000  # mailboxes and subscriptions of one account

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Known:
    """The names as of one write of their record."""

    write_id: bytes = b""
    version: int = 0
    names: Names = field(default_factory=dict[str, MailboxName])


Edit = Callable[[Names], NamesChange | None]


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    """What was made of names that are up to date."""

    value: T


class Folders:
    """The names of one account's mailboxes."""

    def __init__(self, database: Database, keys: SessionKeys) -> None:
        self._database = database
        self._keys = keys
        self._known = _Known()

    async def names(self) -> tuple[list[MailboxName], list[MailboxRow]]:
        """All names, those that are only subscribed to as well, and the rows of all mailboxes.

        Raises:
            UnsealError: the list of names is not what this account wrote.
        """
        return await self._up_to_date(
            lambda tx, names: (list(names.values()), mailboxes(tx, self._keys.account_id))
        )

    async def find(self, name: str) -> tuple[MailboxName, MailboxRow] | None:
        """The mailbox of this name; however many others there are, only its row is read.

        Raises:
            UnsealError: the list of names is not what this account wrote.
        """

        def work(tx: Tx, names: Names) -> tuple[MailboxName, MailboxRow] | None:
            entry = names.get(name)
            row = get_mailbox(tx, self._keys.account_id, entry.mailbox_id) if entry is not None else None
            return None if entry is None or row is None else (entry, row)

        return await self._up_to_date(work)

    async def create(self, name: str, special_use: SpecialUse | None = None) -> bytes:
        """Make a mailbox, and those above it that are missing; its id.

        Raises:
            ValueError: it cannot be a name.
            Refused: it exists, there are too many, or another has this special use.
        """
        wanted = mailbox_name(name)
        made = os.urandom(16)

        def edit(names: Names) -> NamesChange:
            if wanted in names and names[wanted].exists:
                raise Refused(Reason.MAILBOX_EXISTS)
            check_use(names, special_use)
            change = NamesChange(make_superiors(names, wanted), [])
            subscribed = wanted in names
            names[wanted] = MailboxName(made, wanted, special_use, subscribed)
            change.created.append(made)
            return change

        await self._edit(edit)
        return made

    async def delete(self, name: str) -> bytes:
        """Delete a mailbox; mailboxes below it stay; its id, whose rows are still to be purged.

        Raises:
            Refused: there is none, it is INBOX, or there are only mailboxes below it.
        """
        wanted = _normal(name)

        def edit(names: Names) -> NamesChange:
            if wanted == INBOX:
                raise Refused(Reason.MAILBOX_FIXED)
            gone = names.get(wanted)
            if gone is None or not gone.exists:
                raise Refused(Reason.MAILBOX_HAS_CHILDREN if below(names, wanted) else Reason.NO_SUCH_MAILBOX)
            drop(names, gone)
            return NamesChange([], [gone.mailbox_id])

        return (await self._edit(edit)).deleted[0]

    async def rename(self, name: str, to: str) -> None:
        """Rename a mailbox and all below it.

        Raises:
            ValueError: the new one cannot be a name.
            Refused: there is none, it is INBOX, or the new name, or one below it, exists.
        """
        old, new = _normal(name), mailbox_name(to)

        def edit(names: Names) -> NamesChange:
            return NamesChange(mboxes.rename(names, old, new), [])

        await self._edit(edit)

    async def subscribe(self, name: str, *, wanted: bool) -> None:
        """Subscribe to a name or unsubscribe from it; there need be no such mailbox.

        Raises:
            ValueError: it cannot be a name.
        """
        normal = mailbox_name(name) if wanted else _normal(name)

        def edit(names: Names) -> NamesChange | None:
            known = names.get(normal)
            if (known is not None and known.subscribed) == wanted:
                return None
            if known is not None and known.exists:
                names[normal] = replace(known, subscribed=wanted)
            elif wanted:
                names[normal] = MailboxName(ZERO_ID, normal, None)
            else:
                del names[normal]
            return NamesChange([], [])

        await self._edit(edit)

    async def try_use(
        self, mailbox_id: bytes, use: SpecialUse | None, noted: Changed, also: Callable[[Tx], None]
    ) -> None:
        """Say what a mailbox is for, and write *also* in the same transaction; tried once.

        Args:
            noted: What *also* writes of what the account leaf names.

        Raises:
            LostRace: another session wrote first.
            Refused: the mailbox is gone, it is INBOX, or another has this special use.
        """

        def edit(names: Names) -> NamesChange:
            entry = next((n for n in names.values() if n.exists and n.mailbox_id == mailbox_id), None)
            if entry is None:
                raise Refused(Reason.NO_SUCH_MAILBOX)
            if entry.name == INBOX and use is not None:
                raise Refused(Reason.MAILBOX_FIXED)
            if entry.name != INBOX:
                check_use(names, use, entry)
                names[entry.name] = replace(entry, special_use=use)
            return NamesChange([], [])

        await self.try_edit(edit, noted, also)

    async def _up_to_date(self, work: Callable[[Tx, Names], T]) -> T:
        """What *work* makes of the names as they are in its snapshot; a list is opened once."""
        account_id = self._keys.account_id

        def read(tx: Tx) -> SealedRecord | _Found[T]:
            known = self._known
            if write_id_of(tx, account_id, Kind.MBOXES) == known.write_id:
                return _Found(work(tx, known.names))
            record = get_record(tx, account_id, Kind.MBOXES)
            if record is None:
                raise Refused(Reason.DAMAGED, "the list of mailboxes is missing")
            return record

        while isinstance(found := await self._database.read(read), SealedRecord):
            names = {n.name: n for n in self._keys.open_mboxes(found)}
            self._known = _Known(found.write_id, found.version, names)
        return found.value

    async def _edit(self, edit: Edit) -> NamesChange:
        return await until_won(lambda _: self.try_edit(edit))

    async def try_edit(
        self, edit: Edit, noted: Changed | None = None, also: Callable[[Tx], None] | None = None
    ) -> NamesChange:
        """Change the names as *edit* says, and write *also* in the same transaction; tried once.

        Args:
            noted: What *also* writes, or brings back, of what the account leaf names.

        Raises:
            LostRace: another session wrote first.
            Refused: there are too many names, what is there is not as it was left, or what *edit* raises.
        """
        account_id = self._keys.account_id
        known, uid_validity, old_leaf = await self._up_to_date(
            lambda tx, _: (
                self._known,
                next_uid_validity(tx, account_id),
                accountleaf.read_account_leaf(tx, account_id),
            )
        )
        leaf = accountleaf.open_account_leaf(self._keys, old_leaf)
        leaf.check(Kind.MBOXES, ZERO_ID, (known.version, known.write_id))
        names = dict(known.names)
        change = edit(names)
        if change is None:
            return NamesChange([], [])
        if len(names) > MOST:
            raise Refused(Reason.TOO_MANY_MAILBOXES)
        content = mboxes.encode(list(names.values()))
        version = known.version + 1
        record = self._keys.seal(Kind.MBOXES, ZERO_ID, 0, version, 0, content)
        made = [
            (seal_leaf(self._keys, first_leaf(mailbox_id, uid_validity + at)), mailbox_id, uid_validity + at)
            for at, mailbox_id in enumerate(change.created)
        ]
        changed: Changed = [(Kind.MBOXES, ZERO_ID, record), *(noted or [])]
        new_leaf = accountleaf.seal_account_leaf(self._keys, leaf.next(changed, change.deleted))
        await self._database.write(lambda tx: self._write(tx, record, new_leaf, change, made, also))
        self._known = _Known(record.write_id, version, names)
        return change

    def _write(
        self,
        tx: Tx,
        record: SealedRecord,
        account_leaf: SealedRecord,
        change: NamesChange,
        made: list[tuple[SealedRecord, bytes, int]],
        also: Callable[[Tx], None] | None,
    ) -> None:
        keys = self._keys
        modseq = fence(tx, keys.account_id, keys.root_gen, keys.read_gen, 1)
        put_record(tx, keys.account_id, Kind.MBOXES, record)
        accountleaf.put_account_leaf(tx, keys.account_id, account_leaf)
        for leaf, mailbox_id, uid_validity in made:
            add_mailbox(tx, keys.account_id, mailbox_id, modseq, uid_validity)
            put_leaf(tx, keys.account_id, mailbox_id, 0, leaf)
        for mailbox_id in change.deleted:
            mark_deleted(tx, keys.account_id, mailbox_id)
        if also is not None:
            also(tx)


def _normal(name: str) -> str:
    try:
        return mailbox_name(name)
    except ValueError as error:
        raise Refused(Reason.NO_SUCH_MAILBOX) from error
