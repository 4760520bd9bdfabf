"""Ways into accounts, as they are stored; `accounts.waysin` makes and checks them."""

from dataclasses import dataclass

from mailstead.store.database import Row, Tx
from mailstead.store.ledger import Ledger

Removed = tuple[bytes, int]  # id of a slot, and when it would have expired: what the ledger has of it


@dataclass(frozen=True, slots=True)
class SlotRow:
    """One way in.

    Args:
        not_after: Seconds since the epoch; 0: it does not expire.
        scram: Sealed; empty but for app passwords.
        locator: Of an app password: what tells it from the account's others.
        last_used: Of an app password: the day, in seconds since the epoch; 0: never.
    """

    slot_id: bytes
    type: int
    header: bytes
    root_gen: int
    read_gen: int
    not_after: int
    public_key: bytes
    blob: bytes
    tag: bytes
    scram: bytes
    mac: bytes
    created: int
    locator: str = ""
    last_used: int = 0


def slots(tx: Tx, account_id: int) -> list[SlotRow]:
    """The ways into an account, oldest first."""
    rows = tx.execute(
        "SELECT slot_id, type, header, root_gen, read_gen, not_after, public_key, blob, tag, scram,"
        " mac, created, locator, last_used FROM slot WHERE account_id = ? ORDER BY created, slot_id",
        (account_id,),
    )
    return [SlotRow(*row) for row in rows]


def without_revoked(ways_in: list[SlotRow], ledger: Ledger | None) -> list[SlotRow]:
    """Ways in, without those that were revoked and whose rows came back: they stay so."""
    if ledger is None:
        return ways_in
    revoked = ledger.revoked()
    return [row for row in ways_in if row.slot_id not in revoked]


def any_app_password(tx: Tx) -> bool:
    """Whether anybody here has an app password."""
    return bool(tx.execute("SELECT 1 FROM slot WHERE locator <> '' LIMIT 1"))


def add_slot(tx: Tx, account_id: int, row: SlotRow) -> None:
    """Insert a way in, and tell sessions that the ways in changed."""
    _insert(tx, account_id, row)
    _touch_access(tx, account_id)


def add_session(tx: Tx, account_id: int, row: SlotRow, most: int) -> list[Removed]:
    """Insert a session's way in; those that are over go, and the oldest when there would be more than *most*.

    No login by any other way in is concerned, so nobody is told.
    """
    gone = tx.execute(
        "DELETE FROM slot WHERE account_id = ? AND type = 5"
        " AND (not_after <= ? OR root_gen <> ? OR read_gen <> ?) RETURNING slot_id, not_after",
        (account_id, tx.now(), row.root_gen, row.read_gen),
    )
    kept = tx.execute(
        "SELECT slot_id, not_after FROM slot WHERE account_id = ? AND type = 5"
        " ORDER BY created DESC, not_after DESC",
        (account_id,),
    )
    for slot_id, _ in kept[most - 1 :]:
        tx.execute("DELETE FROM slot WHERE account_id = ? AND slot_id = ?", (account_id, slot_id))
    _insert(tx, account_id, row)
    return _removed([*gone, *kept[most - 1 :]])


def remove_sessions(tx: Tx, account_id: int) -> list[Removed]:
    """Delete all sessions' ways in."""
    return _removed(
        tx.execute(
            "DELETE FROM slot WHERE account_id = ? AND type = 5 RETURNING slot_id, not_after", (account_id,)
        )
    )


def sweep_sessions(tx: Tx) -> int:
    """Delete the sessions' ways in, of all accounts, that open nothing any more; how many there were."""
    return len(
        tx.execute(
            "DELETE FROM slot WHERE type = 5 AND (not_after <= ? OR EXISTS (SELECT 1 FROM account a"
            " WHERE a.account_id = slot.account_id"
            " AND (a.root_gen <> slot.root_gen OR a.read_gen <> slot.read_gen))) RETURNING 1",
            (tx.now(),),
        )
    )


def _removed(rows: list[Row]) -> list[Removed]:
    return [(slot_id, not_after) for slot_id, not_after in rows]


def _insert(tx: Tx, account_id: int, row: SlotRow) -> None:
    tx.execute(
        "INSERT INTO slot (account_id, slot_id, type, header, root_gen, read_gen, not_after, public_key,"
        " blob, tag, scram, mac, created, locator) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            account_id, row.slot_id, row.type, row.header, row.root_gen, row.read_gen, row.not_after,
            row.public_key, row.blob, row.tag, row.scram, row.mac, row.created, row.locator,
        ),
    )  # fmt: skip


def carry_over(tx: Tx, account_id: int, row: SlotRow) -> None:
    """Write what changes of a way in when the account's keys move on."""
    tx.execute(
        "UPDATE slot SET root_gen = ?, read_gen = ?, blob = ?, tag = ?, mac = ?"
        " WHERE account_id = ? AND slot_id = ?",
        (row.root_gen, row.read_gen, row.blob, row.tag, row.mac, account_id, row.slot_id),
    )


def remove_slot(tx: Tx, account_id: int, slot_id: bytes) -> None:
    """Delete a way in."""
    tx.execute("DELETE FROM slot WHERE account_id = ? AND slot_id = ?", (account_id, slot_id))
    _touch_access(tx, account_id)


def set_scram_salt(tx: Tx, account_id: int, salt: bytes) -> None:
    """What all app passwords of an account are salted with, from its first one on."""
    tx.execute(
        "UPDATE account SET scram_salt = ? WHERE account_id = ? AND scram_salt IS NULL", (salt, account_id)
    )


def note_use(tx: Tx, account_id: int, slot_id: bytes, day: int) -> None:
    """Note that a way in was used on a day; no session hears of it."""
    tx.execute(
        "UPDATE slot SET last_used = ? WHERE account_id = ? AND slot_id = ? AND last_used < ?",
        (day, account_id, slot_id, day),
    )


def _touch_access(tx: Tx, account_id: int) -> None:
    tx.execute("UPDATE account SET access_version = access_version + 1 WHERE account_id = ?", (account_id,))
