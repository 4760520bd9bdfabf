"""Escrow: a key that an organisation keeps offline, and the slots that it opens (docs/format.md, "Escrow").

The private half is a seed of 32 octets. It is made and used at the command line only, whole or as
shares in words (SLIP-39), of which some number brings it back and fewer tell nothing.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from shamir_mnemonic import (  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
    MnemonicError,
    Share,
    decode_mnemonics,
    generate_mnemonics,
    recover_ems,
)
from shamir_mnemonic.wordlist import (  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
    WORD_INDEX_MAP,
)

from mailstead.crypto.fingerprint import fingerprint
from mailstead.crypto.primitives import (
    ENCAPSULATED_OCTETS,
    PUBLIC_KEY_OCTETS,
    Octets,
    decapsulate,
    encapsulate,
    private_key,
    public_key,
    public_octets,
    random_octets,
)
from mailstead.crypto.slots import Slot, SlotHeader, slot_tag
from mailstead.errors import UnsealError
from mailstead.secretmem import Arena, Secret

MOST_SHARES = 16  # what SLIP-39 has room for
SEED_OCTETS = 32
SHARE_WORDS = 33  # of a share of 32 octets
_PUBLIC = re.compile(r"mailstead-escrow-1 ([A-Za-z0-9+/=]+)")
_SECRET = re.compile(r"mailstead-escrow-secret-1 ([A-Za-z0-9+/=]+)")


@dataclass(frozen=True, slots=True)
class EscrowKey:
    """What an organisation hands out: the public half."""

    octets: bytes

    def __str__(self) -> str:
        return f"mailstead-escrow-1 {b64encode(self.octets).decode()}"

    @property
    def fingerprint(self) -> str:
        """What two people compare."""
        return fingerprint(self.octets)

    @classmethod
    def parse(cls, text: str) -> "EscrowKey":
        """Read what `str` of one gives.

        Raises:
            ValueError: it is none.
        """
        found = _PUBLIC.fullmatch(text.strip())
        octets = b64decode(found[1]) if found is not None else b""
        if len(octets) != PUBLIC_KEY_OCTETS:
            raise ValueError("it is not the public half of an escrow key (mailstead-escrow-1 ...)")
        try:
            public_key(octets)
        except UnsealError as error:
            raise ValueError("it is not the public half of an escrow key: a letter of it is wrong") from error
        return cls(octets)


def new_seed() -> bytes:
    """The private half of a new key."""
    return random_octets(SEED_OCTETS)


def public_half(seed: Octets) -> EscrowKey:
    """The public half of the key that *seed* is the private half of."""
    return EscrowKey(public_octets(seed))


def seed_text(seed: bytes) -> str:
    """The private half as a file keeps it."""
    return f"mailstead-escrow-secret-1 {b64encode(seed).decode()}"


def parse_seed(text: str) -> bytes:
    """Read what `seed_text` gives.

    Raises:
        ValueError: it is none.
    """
    found = _SECRET.fullmatch(text.strip())
    seed = b64decode(found[1]) if found is not None else b""
    if len(seed) != SEED_OCTETS:
        raise ValueError("it is not the private half of an escrow key (mailstead-escrow-secret-1 ...)")
    return seed


def split(seed: bytes, threshold: int, count: int) -> tuple[str, ...]:
    """*count* shares in 33 words each, of which any *threshold* bring the seed back (SLIP-39).

    Raises:
        ValueError: the numbers are not 2 <= threshold <= count <= 16.
    """
    if not 2 <= threshold <= count <= MOST_SHARES:
        raise ValueError(f"shares are K/N with 2 <= K <= N <= {MOST_SHARES}")
    (shares,) = generate_mnemonics(1, [(threshold, count)], seed)
    return tuple(shares)


class BadShare(ValueError):
    """One of some shares is none, said without any of its words: they are as secret as it is.

    Args:
        index: Which, from 0.
    """

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index


def join(shares: Sequence[str]) -> bytes:
    """The seed, of as many shares as it needs, or more.

    Raises:
        BadShare: one was copied wrong.
        ValueError: there are too few, or they are of different keys. No word of a share is in it.
    """
    checked = [_checked(index, share) for index, share in enumerate(shares)]
    if not checked:
        raise ValueError("no share was given")
    try:
        groups = decode_mnemonics(checked)
        whole = {number: group.get_minimal_group() for number, group in groups.items() if group.is_complete()}
        if not whole:
            needed, given = (group := groups[min(groups)]).member_threshold(), len(group)
            raise ValueError(f"{needed} shares are needed, {given} {'was' if given == 1 else 'were'} given")
        seed: bytes = recover_ems(whole).decrypt(b"")
    except MnemonicError as error:
        raise ValueError("the shares are of different keys") from error
    return seed


def _checked(index: int, share: str) -> str:
    """The words of a share, in the form that SLIP-39 has them in."""
    words = share.lower().split()
    if len(words) != SHARE_WORDS:
        raise BadShare(index, f"a share has {SHARE_WORDS} words, not {len(words)}")
    for place, word in enumerate(words, 1):
        if word not in WORD_INDEX_MAP:
            raise BadShare(index, f"word {place} is misspelt")
    text = " ".join(words)
    try:
        Share.from_mnemonic(text)
    except MnemonicError as error:
        raise BadShare(index, "one of its words is wrong") from error
    return text


def make_escrow_slot(
    header: SlotHeader, key: EscrowKey, c: bytes, root: Octets, root_gen: int, read_gen: int
) -> Slot:
    """Wrap the root for who holds the private half of *key*, who is not here.

    Args:
        c: 32 random octets: there is no slot secret that they could come from.
    """
    head, public = header.encode(), key.octets
    blob = encapsulate(root, public_key(public), b"EMS1 slot\x00" + head)
    return Slot(head, root_gen, read_gen, public, blob, slot_tag(c, head, root_gen, read_gen, public, blob))


def open_escrow_slot(arena: Arena, slot: Slot, seed: Octets) -> Secret:
    """The root, by the private half of an organisation's key.

    Whoever has the public half can make such a slot: check its tag by the keyring that the root opens
    (`crypto.slots.check_tag`) before anything is believed.

    Raises:
        UnsealError: it is another key's.
    """
    if slot.public_key != public_octets(seed) or len(slot.blob) != ENCAPSULATED_OCTETS:
        raise UnsealError("the slot does not open")
    return arena.hold(decapsulate(slot.blob, private_key(seed), b"EMS1 slot\x00" + slot.header))
