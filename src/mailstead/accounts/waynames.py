"""Names that an owner gives to ways in: those that come without one have names of their own."""

import unicodedata

from mailstead.crypto.keyring import NAME_OCTETS
from mailstead.crypto.slots import SlotType, kind_name
from mailstead.errors import Reason, Refused

BUILT_IN = frozenset(kind_name(kind) for kind in (SlotType.PASSWORD, SlotType.RECOVERY, SlotType.INVITE))


def checked_name(name: str) -> str:
    """A name as the root keyring takes it: 1 to 64 octets of one line, in NFC.

    Raises:
        ValueError: it can be no name.
        Refused: NAME_TAKEN: a password, the words or an invitation has it, now or later.
    """
    name = unicodedata.normalize("NFC", name.strip())
    if not 1 <= len(name.encode()) <= NAME_OCTETS or not name.isprintable():
        raise ValueError(f"a name has 1 to {NAME_OCTETS} octets, all of them printable")
    if name in BUILT_IN:
        raise Refused(Reason.NAME_TAKEN)
    return name
