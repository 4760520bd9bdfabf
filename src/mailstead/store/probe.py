"""What tells whether the database can be used now."""

import os

from mailstead.errors import Reason, Trouble, Unavailable
from mailstead.store.database import Tx
from mailstead.store.migrate import SCHEMA_VERSION, put_meta, schema_version


def write_probe(tx: Tx) -> bool:
    """Write something that matters to nobody; whether the tables are those of this version, too."""
    put_meta(tx, "probe", os.urandom(16))  # SQLite writes nothing when a row is as it was
    try:
        return schema_version(tx) == SCHEMA_VERSION
    except Trouble as newer:
        raise Unavailable(Reason.STORAGE_UNAVAILABLE, newer.what) from newer


def totals(tx: Tx, after: int) -> tuple[int, int, int] | None:
    """Of the next accounts behind *after*: the last one, messages in their mailboxes, sealed octets.

    None when there are none: so all are counted a few at a time, and nobody waits for long.
    """
    rows = tx.execute(
        "SELECT account_id, used_octets FROM account WHERE account_id > ? ORDER BY account_id LIMIT 250",
        (after,),
    )
    if not rows:
        return None
    last = int(rows[-1][0])
    counted = tx.execute(
        "SELECT COALESCE(SUM(messages), 0) FROM mailbox"
        " WHERE account_id > ? AND account_id <= ? AND uid_validity <> 0",
        (after, last),
    )
    return last, int(counted[0][0]), sum(int(row[1]) for row in rows)
