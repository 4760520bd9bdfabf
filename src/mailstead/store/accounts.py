"""Who lives here: accounts, their addresses and delivery keys; their ways in are in `slots`.

Every row carries a MAC of the server (docs/format.md, "Row MACs"), made and checked by
`accounts/`: this module stores what it is given.
"""

from dataclasses import dataclass
from typing import NamedTuple

from mailstead.errors import Reason, Unavailable
from mailstead.store.database import Row, Tx
from mailstead.store.records import LostRace

ACTIVE, DISABLED = 0, 1


class AccountRow(NamedTuple):
    """One account: nothing in it is secret, and nothing in it opens mail.

    A named tuple, as it is made at every RCPT and a frozen dataclass takes ten times as long.
    """

    account_id: int
    uuid: bytes
    status: int
    epoch: int
    root_gen: int
    read_gen: int
    mac: bytes
    modseq: int
    inbox_id: bytes
    quota_octets: int
    used_octets: int
    access_version: int
    created: int


class AddressRow(NamedTuple):
    """An address that mail is accepted for."""

    address: str
    account_id: int
    kind: int
    mac: bytes


@dataclass(frozen=True, slots=True)
class EpochKeyRow:
    """The public key that mail of one epoch is sealed to."""

    epoch: int
    suite: int
    state: int
    public_key: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """An address, and the account behind it."""

    account: AccountRow
    address: AddressRow


def find_recipient(tx: Tx, address: str) -> RecipientRow | None:
    """The account behind a canonical *address*."""
    rows = tx.execute(
        "SELECT a.account_id, a.uuid, a.status, a.epoch, a.root_gen, a.read_gen, a.mac, a.modseq,"
        " a.inbox_id, a.quota_octets, a.used_octets, a.access_version, a.created,"
        " d.address, d.account_id, d.kind, d.mac"
        " FROM address d JOIN account a ON a.account_id = d.account_id WHERE d.address = ?",
        (address,),
    )
    if not rows:
        return None
    row = rows[0]
    return RecipientRow(AccountRow(*row[:13]), AddressRow(*row[13:17]))


def quota(tx: Tx, account_id: int) -> tuple[int, int]:
    """Octets that an account uses, and its limit: 0 for none."""
    ((used, limit),) = tx.execute(
        "SELECT used_octets, quota_octets FROM account WHERE account_id = ?", (account_id,)
    )
    return int(used), int(limit)


def list_accounts(tx: Tx) -> list[AccountRow]:
    """All accounts, oldest first."""
    rows = tx.execute(
        "SELECT account_id, uuid, status, epoch, root_gen, read_gen, mac, modseq, inbox_id,"
        " quota_octets, used_octets, access_version, created FROM account ORDER BY account_id"
    )
    return [AccountRow(*row) for row in rows]


def get_account(tx: Tx, account_id: int) -> AccountRow | None:
    """One account, by its number."""
    rows = tx.execute(
        "SELECT account_id, uuid, status, epoch, root_gen, read_gen, mac, modseq, inbox_id,"
        " quota_octets, used_octets, access_version, created FROM account WHERE account_id = ?",
        (account_id,),
    )
    return AccountRow(*rows[0]) if rows else None


def add_account(tx: Tx, row: AccountRow) -> int:
    """Insert *row* under the next account number, which is returned; `row.account_id` is ignored."""
    (number,) = tx.execute("SELECT COALESCE(MAX(account_id), 0) + 1 FROM account")[0]
    tx.execute(
        "INSERT INTO account (account_id, uuid, status, epoch, root_gen, read_gen, mac, modseq,"
        " last_uid_validity, inbox_id, quota_octets, used_octets, access_version, created)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, 0, ?, ?)",
        (
            number, row.uuid, row.status, row.epoch, row.root_gen, row.read_gen, row.mac, row.modseq,
            row.inbox_id, row.quota_octets, row.access_version, row.created,
        ),
    )  # fmt: skip
    return int(number)


def set_status(tx: Tx, account: AccountRow, status: int, mac: bytes) -> None:
    """Enable or disable an account; *mac* is over the new row.

    Raises:
        LostRace: the row is not *account* any more.
    """
    if not tx.execute(
        "UPDATE account SET status = ?, mac = ?, access_version = access_version + 1"
        " WHERE account_id = ? AND mac = ? RETURNING 1",
        (status, mac, account.account_id, account.mac),
    ):
        raise LostRace


def set_generations(tx: Tx, before: AccountRow, now: AccountRow) -> None:
    """Go on to other generations of the keys, or another epoch; the mac of *now* is over the new row.

    Raises:
        LostRace: the row is not *before* any more.
    """
    if not tx.execute(
        "UPDATE account SET epoch = ?, root_gen = ?, read_gen = ?, mac = ?,"
        " access_version = access_version + 1 WHERE account_id = ? AND mac = ? RETURNING 1",
        (now.epoch, now.root_gen, now.read_gen, now.mac, before.account_id, before.mac),
    ):
        raise LostRace


def set_inbox(tx: Tx, account_id: int, inbox_id: bytes) -> None:
    """Have mail go to another mailbox."""
    tx.execute("UPDATE account SET inbox_id = ? WHERE account_id = ?", (inbox_id, account_id))


def scram_salt(tx: Tx, account_id: int) -> bytes | None:
    """What all app passwords of an account are salted with; None: it has had none yet."""
    rows = tx.execute("SELECT scram_salt FROM account WHERE account_id = ?", (account_id,))
    return rows[0][0] if rows else None


def remove_account(tx: Tx, account_id: int) -> None:
    """Delete an account with its keys and all its mail."""
    # Children first: what one foreign key forbids (a pending without its lane) another cannot undo.
    tx.execute("DELETE FROM pending WHERE account_id = ?", (account_id,))
    tx.execute("DELETE FROM quarantine WHERE account_id = ?", (account_id,))
    tx.execute("DELETE FROM tomb WHERE account_id = ?", (account_id,))
    tx.execute("DELETE FROM account WHERE account_id = ?", (account_id,))


def addresses(tx: Tx, account_id: int) -> list[AddressRow]:
    """The addresses of an account, its login address first."""
    rows = tx.execute(
        "SELECT address, account_id, kind, mac FROM address WHERE account_id = ? ORDER BY kind, address",
        (account_id,),
    )
    return [AddressRow(*row) for row in rows]


def add_address(tx: Tx, row: AddressRow) -> bool:
    """Insert *row*; False if the address is taken."""
    return bool(
        tx.execute(
            "INSERT INTO address (address, account_id, kind, mac) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (address) DO NOTHING RETURNING 1",
            (row.address, row.account_id, row.kind, row.mac),
        )
    )


def add_epoch_key(tx: Tx, account_id: int, row: EpochKeyRow) -> None:
    """Insert a delivery key."""
    tx.execute(
        "INSERT INTO epoch_key (account_id, epoch, suite, state, public_key, mac) VALUES (?, ?, ?, ?, ?, ?)",
        (account_id, row.epoch, row.suite, row.state, row.public_key, row.mac),
    )


def set_epoch_keys(tx: Tx, account_id: int, keys: list[EpochKeyRow]) -> None:
    """Have these delivery keys and no others."""
    tx.execute("DELETE FROM epoch_key WHERE account_id = ?", (account_id,))
    for row in keys:
        add_epoch_key(tx, account_id, row)


def epoch_keys(tx: Tx, account_id: int) -> list[EpochKeyRow]:
    """The delivery keys of an account by epoch."""
    rows = tx.execute(
        "SELECT epoch, suite, state, public_key, mac FROM epoch_key WHERE account_id = ? ORDER BY epoch",
        (account_id,),
    )
    return [EpochKeyRow(*row) for row in rows]


class AccessRow(NamedTuple):
    """What tells a session of an account whether it may go on, and whether there are news."""

    status: int
    root_gen: int
    read_gen: int
    access_version: int
    modseq: int


def access(tx: Tx, account_id: int) -> AccessRow | None:
    """Whether and how an account can be used now; None when it is gone."""
    rows = tx.execute(
        "SELECT status, root_gen, read_gen, access_version, modseq FROM account WHERE account_id = ?",
        (account_id,),
    )
    return AccessRow(*rows[0]) if rows else None


class Stale(Unavailable):
    """The account's keys have moved on since this session unlocked it: log in again."""

    def __init__(self) -> None:
        super().__init__(Reason.KEY_CHANGED)


def fence(tx: Tx, account_id: int, root_gen: int, read_gen: int, modseqs: int) -> int:
    """Begin a write of the owner: take *modseqs* modseqs, and return the last of them.

    The row it updates is the lock that orders all writers of the account, and the generations
    stop a session whose keys have been rotated away.

    Raises:
        Stale: the generations are no longer the account's.
    """
    rows: list[Row] = tx.execute(
        "UPDATE account SET modseq = modseq + ? WHERE account_id = ? AND root_gen = ?"
        " AND read_gen = ? RETURNING modseq",
        (modseqs, account_id, root_gen, read_gen),
    )
    if not rows:
        raise Stale
    return int(rows[0][0])


def last_modseq(tx: Tx, account_id: int) -> int:
    """The modseq of the account's latest change."""
    rows = tx.execute("SELECT modseq FROM account WHERE account_id = ?", (account_id,))
    return int(rows[0][0]) if rows else 0


def fence_at(tx: Tx, account_id: int, root_gen: int, read_gen: int, modseq: int) -> None:
    """Begin a write of the owner that was sealed for *modseq*: the account jumps to it.

    Raises:
        LostRace: the account is there already, or beyond.
        Stale: the generations are no longer the account's.
    """
    done = tx.execute(
        "UPDATE account SET modseq = ? WHERE account_id = ? AND modseq < ? AND root_gen = ?"
        " AND read_gen = ? RETURNING 1",
        (modseq, account_id, modseq, root_gen, read_gen),
    )
    if not done:
        fence(tx, account_id, root_gen, read_gen, 0)
        raise LostRace
