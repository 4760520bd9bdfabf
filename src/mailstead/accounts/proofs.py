"""A proof by SCRAM, tried on app passwords (docs/format.md, "App passwords")."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mailstead.accounts.waysin import checked_header
from mailstead.crypto.slots import SlotHeader
from mailstead.errors import UnsealError
from mailstead.store.accounts import AccountRow
from mailstead.store.slots import SlotRow

if TYPE_CHECKING:
    from mailstead.accounts.provision import Office


@dataclass(frozen=True, slots=True)
class Match:
    """The way in that a proof is of.

    Args:
        client_key: What opens it.
        signature: What shows the client that the server knew it, too.
    """

    header: SlotHeader
    row: SlotRow
    client_key: bytes = field(repr=False)
    signature: bytes


def match_proof(
    office: "Office", tried: list[tuple[AccountRow, SlotRow]], message: bytes, proof: bytes
) -> Match | None:
    """The way in that *proof* is of; all are tried, always.

    Args:
        message: The AuthMessage of the exchange (RFC 5802 section 3).
    """
    match, key = None, office.server_key
    for account, row in tried:
        try:
            header = checked_header(key.rows, account, row, office.now())
            verifier = key.open_verifier(row.header, row.scram)
        except UnsealError:  # expired, or not what this server wrote: the others are as good as they were
            continue
        client_key = verifier.client_key(message, proof)
        if client_key is not None:
            match = Match(header, row, client_key, verifier.signature(message))
    return match
