"""Row MACs: this server wrote this row (docs/format.md, "Row MACs").

Whoever can write the database but does not have `server.key` can neither point an address at
another account nor put a key or a way in of his own beside one. A MAC says "written here", not
"newest": what is older is found by other means.
"""

from mailstead.crypto.arrivals import ArrivalChain
from mailstead.crypto.ledger import LedgerChain
from mailstead.crypto.primitives import Octets, equal, expand, mac, sha256
from mailstead.errors import UnsealError


class RowMacs:
    """Makes and checks the MACs of the rows that delivery and logins believe.

    Args:
        previous: Older server keys, under which something may have been delivered.
    """

    def __init__(self, server_key: Octets, previous: tuple[Octets, ...] = ()) -> None:
        self._key = expand(server_key, b"EMS1 rows")
        self._server_keys = (server_key, *previous)
        self.ledger = LedgerChain((self._key, *(expand(key, b"EMS1 rows") for key in previous)))

    def __repr__(self) -> str:
        return "RowMacs(***)"

    def arrivals(self, account: bytes) -> ArrivalChain:
        """What makes and checks the tags of an account's arrivals."""
        return ArrivalChain(self._server_keys, account)

    def address(self, address: str, account: bytes, kind: int) -> bytes:
        """The MAC of an `address` row."""
        return self._mac(b"address", address.encode(), account, bytes((kind,)))

    def check_address(self, found: bytes, address: str, account: bytes, kind: int) -> None:
        """Raise UnsealError unless *found* is the MAC of this row."""
        _check(found, self.address(address, account, kind), "address")

    def epoch_key(self, account: bytes, epoch: int, suite: int, state: int, public: bytes) -> bytes:
        """The MAC of an `epoch_key` row."""
        return self._mac(
            b"epoch_key",
            account,
            epoch.to_bytes(4, "big"),
            bytes((suite,)),
            bytes((state,)),
            public,
        )

    def check_epoch_key(
        self, found: bytes, account: bytes, epoch: int, suite: int, state: int, public: bytes
    ) -> None:
        """Raise UnsealError unless *found* is the MAC of this row."""
        _check(found, self.epoch_key(account, epoch, suite, state, public), "delivery key")

    def account(self, account: bytes, status: int, epoch: int, root_gen: int, read_gen: int) -> bytes:
        """The MAC of an `account` row."""
        gens = (epoch, root_gen, read_gen)
        return self._mac(b"account", account, bytes((status,)), *(n.to_bytes(4, "big") for n in gens))

    def check_account(
        self, found: bytes, account: bytes, status: int, epoch: int, root_gen: int, read_gen: int
    ) -> None:
        """Raise UnsealError unless *found* is the MAC of this row."""
        _check(found, self.account(account, status, epoch, root_gen, read_gen), "account")

    def slot(
        self, account: bytes, header: bytes, gens: tuple[int, int], not_after: int,
        public: bytes, blob: bytes, tag: bytes, scram: bytes,
    ) -> bytes:  # fmt: skip
        """The MAC of a `slot` row."""
        return self._mac(
            b"slot", account, header, gens[0].to_bytes(4, "big"), gens[1].to_bytes(4, "big"),
            not_after.to_bytes(8, "big"), sha256(public) if public else b"", blob, tag, scram,
        )  # fmt: skip

    def check_slot(
        self, found: bytes, account: bytes, header: bytes, gens: tuple[int, int], not_after: int,
        public: bytes, blob: bytes, tag: bytes, scram: bytes,
    ) -> None:  # fmt: skip
        """Raise UnsealError unless *found* is the MAC of this row."""
        made = self.slot(account, header, gens, not_after, public, blob, tag, scram)
        _check(found, made, "way in")

    def _mac(self, table: bytes, *fields: bytes) -> bytes:
        parts = [b"EMS1 row\x00", table, b"\x00"]
        for field in fields:
            parts.append(len(field).to_bytes(4, "big"))
            parts.append(field)
        return mac(self._key, b"".join(parts))


def _check(found: bytes, made: bytes, what: str) -> None:
    if not equal(found, made):
        raise UnsealError(f"the row of this {what} was not written by this server")
