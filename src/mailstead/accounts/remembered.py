"""Verified passwords, remembered while their account has a session here, so that the next login
costs no Argon2.

What is kept is a MAC under a key that lives in this process only, and beside it the slot secret in
secret memory. It is bound to the slot and its tag, so a new password makes another.
"""

from collections import OrderedDict
from collections.abc import Container
from dataclasses import dataclass

from mailstead.crypto.primitives import Octets, mac, random_octets
from mailstead.secretmem import Arena, Secret
from mailstead.store.accounts import AccountRow
from mailstead.store.slots import SlotRow

SECONDS = 60.0  # after the last session
MOST = 1024


@dataclass(slots=True)
class _Entry:
    account_id: int
    access_version: int
    secret: Secret
    until: float


class Remembered:
    """The remembered passwords of one process."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._key = arena.hold(random_octets(32))
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def _name(self, slot: SlotRow, password: Octets) -> bytes:
        return mac(self._key.view, b"".join((slot.slot_id, slot.tag, bytes(password))))

    def find(self, account: AccountRow, slot: SlotRow, password: Octets) -> Secret | None:
        """A copy of the slot secret of a password that was right before, to be released."""
        name = self._name(slot, password)
        entry = self._entries.get(name)
        if entry is None:
            return None
        if entry.access_version != account.access_version:
            self._forget(name)
            return None
        return self._arena.hold(entry.secret.view)

    def keep(self, account: AccountRow, slot: SlotRow, password: Octets, secret: Secret, now: float) -> None:
        """Remember a password that has just opened its slot.

        Args:
            now: Seconds of the monotonic clock.
        """
        name = self._name(slot, password)
        if name in self._entries:
            return
        if len(self._entries) >= MOST:
            self._forget(next(iter(self._entries)))
        copy = self._arena.hold(secret.view)
        self._entries[name] = _Entry(account.account_id, account.access_version, copy, now + SECONDS)

    def sweep(self, online: Container[int], now: float) -> None:
        """Forget those whose account has had no session here for a minute."""
        for name, entry in list(self._entries.items()):
            if entry.account_id in online:
                entry.until = now + SECONDS
            elif entry.until < now:
                self._forget(name)

    def forget_account(self, account_id: int) -> None:
        """Forget an account's passwords: a way in was changed."""
        for name, entry in list(self._entries.items()):
            if entry.account_id == account_id:
                self._forget(name)

    def _forget(self, name: bytes) -> None:
        self._entries.pop(name).secret.release()

    def __len__(self) -> int:
        return len(self._entries)
