"""Nobody: an account that no password opens, for logins that have no other to be tried on.

A login that fails takes as long whether the account is missing, disabled, or has another password:
the same rows are checked, and a way in is tried that has the sizes and costs of any.
"""

from dataclasses import replace

from mailstead.accounts.directory import LOGIN
from mailstead.crypto.newslots import app_header, invite_header, new_header
from mailstead.crypto.primitives import ENCAPSULATED_OCTETS, PUBLIC_KEY_OCTETS, random_octets
from mailstead.crypto.scram import ScramKeys
from mailstead.crypto.serverkey import ServerKey
from mailstead.crypto.slots import MAIL, Cost, SlotHeader, SlotType
from mailstead.store.accounts import ACTIVE, AccountRow, AddressRow, RecipientRow
from mailstead.store.slots import SlotRow

NOBODY = 0  # an account id that no account has


class Decoy:
    """Rows of this server for an account that is in no database."""

    def __init__(self, server_key: ServerKey, cost: Cost) -> None:
        self._salt = server_key.unknown_salt
        macs, uuid = server_key.rows, random_octets(16)
        account = AccountRow(
            NOBODY, uuid, ACTIVE, 1, 1, 1, macs.account(uuid, ACTIVE, 1, 1, 1), 0, uuid, 0, 0, 0, 0
        )
        address = AddressRow("", NOBODY, LOGIN, macs.address("", uuid, LOGIN))
        self.found = RecipientRow(account, address)
        self.slots: list[SlotRow] = []
        kinds = {
            kind: new_header(kind, uuid, server_key.peppers[0], cost)
            for kind in (SlotType.PASSWORD, SlotType.RECOVERY)
        }
        kinds[SlotType.INVITE] = invite_header(uuid, 0)
        kinds[SlotType.APP_PASSWORD] = app_header(uuid, MAIL, 0)
        self._headers = kinds
        for kind, header in kinds.items():
            is_app = kind is SlotType.APP_PASSWORD
            keys = ScramKeys(random_octets(32), random_octets(32))
            scram = server_key.seal_verifier(header.encode(), keys) if is_app else b""
            parts = header.encode(), random_octets(PUBLIC_KEY_OCTETS), random_octets(ENCAPSULATED_OCTETS)
            tag = random_octets(32)
            mac = macs.slot(uuid, parts[0], (1, 1), 0, *parts[1:], tag, scram)
            self.slots.append(
                SlotRow(header.slot_id, kind, parts[0], 1, 1, 0, *parts[1:], tag, scram, mac, 0)
            )

    @property
    def app(self) -> SlotRow:
        """An app password that nobody has."""
        return self.slots[-1]

    def ways(self, address: str, kind: SlotType) -> list[tuple[SlotHeader, SlotRow]]:
        """The way in that a credential of this *kind* is tried on, which it does not open.

        For a session there is none: only commands on this machine come with one.
        """
        header = self._headers.get(kind)
        if header is None:
            return []
        header = replace(header, salt=self._salt(address)[:16] + header.salt[16:])
        return [(header, slot) for slot in self.slots if slot.type == kind]
