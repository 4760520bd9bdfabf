"""Slots: the ways into an account (docs/format.md, "Slots").

A credential gives a slot secret, the secret an X-Wing key pair, and the pair opens the root or
the read key. Because anybody can seal to a public key, a slot carries a tag under a key that
only the secret gives, and the tag is checked before anything is opened.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from mailstead.crypto.primitives import (
    ENCAPSULATED_OCTETS,
    Octets,
    argon2id,
    decapsulate,
    encapsulate,
    equal,
    expand,
    mac,
    open_kept,
    private_key,
    public_key,
    public_octets,
    sha256,
)
from mailstead.errors import UnsealError
from mailstead.secretmem import Arena, Secret

_HEADER = struct.Struct(">4sBBBB16s16sIIBB")
MAGIC, FORMAT = b"EMSK", 1
NO_PIN = bytes(32)
# Beyond these a slot is refused before anything is allocated (docs/format.md, "Caps").
M_KIB_CAP, T_CAP, P_CAP = 1 << 20, 16, 4
RECOVERY_M_KIB, RECOVERY_T = 65536, 3


class SlotType(IntEnum):
    """What kind of credential opens a slot."""

    PASSWORD = 1
    SPARE = 2  # never made
    RECOVERY = 3
    ESCROW = 4
    SESSION = 5
    PASSKEY = 6
    APP_PASSWORD = 7
    OPAQUE = 8
    INVITE = 9


_KIND_NAMES = {SlotType.RECOVERY: "recovery words", SlotType.INVITE: "invitation"}


def kind_name(kind: int) -> str:
    """What people call a kind of way in, wherever one is listed or named."""
    try:
        known = SlotType(kind)
    except ValueError:
        return "unknown"
    return _KIND_NAMES.get(known) or known.name.lower().replace("_", " ")


class Scope(IntFlag):
    """What a slot may be used for; with KEYS it opens the root."""

    READ = 1
    SUBMIT = 2
    WEB = 4
    WRITE = 8
    KEYS = 128


FULL = Scope.READ | Scope.SUBMIT | Scope.WEB | Scope.WRITE | Scope.KEYS
# What an app password may be for. That one may only read is the server's word; that one may only
# send is cryptography: it wraps nothing.
MAIL, READ_ONLY, SUBMIT_ONLY = Scope.READ | Scope.WRITE | Scope.SUBMIT, Scope.READ, Scope.SUBMIT
SESSION = Scope.READ | Scope.WRITE  # of a session slot, which never opens the root


class Wrap(IntEnum):
    """How the payload is sealed."""

    SYMMETRIC = 0
    HPKE = 1
    NONE = 2


@dataclass(frozen=True, slots=True)
class SlotHeader:
    """The header of a slot, which everything about it is bound to."""

    type: SlotType
    scope: Scope
    wrap: Wrap
    slot_id: bytes
    account: bytes
    m_kib: int
    t: int
    p: int
    salt: bytes

    def encode(self) -> bytes:
        """Its octets."""
        return (
            _HEADER.pack(
                MAGIC, FORMAT, self.type, self.scope, self.wrap, self.slot_id, self.account,
                self.m_kib, self.t, self.p, len(self.salt),
            )
            + self.salt
        )  # fmt: skip

    @classmethod
    def decode(cls, octets: bytes) -> "SlotHeader":
        """Read a slot header.

        Raises:
            UnsealError: it is malformed, of an unknown kind, or asks for more than the caps.
        """
        if len(octets) < _HEADER.size:
            raise UnsealError("the slot is cut")
        magic, version, kind, scope, wrap, slot_id, account, m, t, p, length = _HEADER.unpack_from(octets)
        salt = octets[_HEADER.size :]
        if magic != MAGIC or version != FORMAT or len(salt) != length or scope & 0x70:
            raise UnsealError("the slot is malformed")
        if m > M_KIB_CAP or t > T_CAP or p > P_CAP:
            raise UnsealError("the slot asks for more work than is allowed")
        try:
            return cls(SlotType(kind), Scope(scope), Wrap(wrap), slot_id, account, m, t, p, bytes(salt))
        except ValueError as error:
            raise UnsealError("the slot is of a kind this version does not know") from error


@dataclass(frozen=True, slots=True)
class Slot:
    """One way in, as it is stored."""

    header: bytes
    root_gen: int
    read_gen: int
    public_key: bytes
    blob: bytes
    tag: bytes


@dataclass(frozen=True, slots=True)
class Pepper:
    """The server's part of every password slot."""

    octets: bytes

    def id(self) -> bytes:
        """Which pepper this is; the slot's salt ends in it."""
        return sha256(b"EMS1 pepper id\x00", self.octets)[:4]

    def __repr__(self) -> str:
        return "Pepper(***)"


@dataclass(frozen=True, slots=True)
class Cost:
    """What Argon2id is asked to do."""

    m_kib: int = 19 << 10
    t: int = 2


def not_after_of(header: SlotHeader) -> int:
    """When a slot expires, which its salt ends in; 0: never, as what opens by Argon2id.

    Raises:
        UnsealError: the salt has another length.
    """
    if header.type in (SlotType.PASSWORD, SlotType.RECOVERY):
        return 0
    if len(header.salt) != 24:
        raise UnsealError("the slot is malformed")
    return int.from_bytes(header.salt[16:], "big")


def slot_secret(arena: Arena, header: SlotHeader, credential: Octets, peppers: list[Pepper]) -> Secret:
    """The secret that *credential* gives for a slot; slow for passwords and words, by design.

    Args:
        peppers: The current one first; the header's salt says which it was made with.

    Raises:
        UnsealError: the pepper of this slot is not among them.
    """
    secret = arena.take()
    try:
        match header.type:
            case SlotType.PASSWORD:
                pepper = _pepper(header.salt, peppers)
                argon2id(credential, header.salt, header.m_kib, header.t, pepper.octets, secret.view)
            case SlotType.RECOVERY:
                argon2id(credential, header.salt, RECOVERY_M_KIB, RECOVERY_T, None, secret.view)
            case kind:
                label = b"EMS1 slot\x00" + bytes((kind,)) + bytes(credential)
                secret.view[:] = mac(header.salt, label)
    except BaseException:
        secret.release()
        raise
    return secret


def _pepper(salt: bytes, peppers: list[Pepper]) -> Pepper:
    if len(salt) == 16:  # made before peppers had ids: the current one, or none
        return peppers[0]
    for pepper in peppers:
        if pepper.id() == salt[16:]:
            return pepper
    raise UnsealError("the pepper of this slot is not here")


def auth_key(secret: Octets) -> bytes:
    """C: what a slot's tag is made under, kept in the root keyring."""
    return expand(secret, b"EMS1 slot auth")


def slot_tag(c: Octets, header: bytes, root_gen: int, read_gen: int, public: bytes, blob: bytes) -> bytes:
    """The tag that only who knows the credential, or the root, can make."""
    return mac(
        c,
        b"".join(
            (
                b"EMS1 slot tag\x00", len(header).to_bytes(2, "big"), header,
                root_gen.to_bytes(4, "big"), read_gen.to_bytes(4, "big"), sha256(public), blob,
            )
        ),
    )  # fmt: skip


def make_slot(
    header: SlotHeader, secret: Octets, payload: Octets | None, root_gen: int, read_gen: int
) -> Slot:
    """Wrap *payload* for a slot: the root, the read key, or nothing."""
    head = header.encode()
    public = blob = b""
    if payload is not None:
        public = public_octets(secret)
        blob = encapsulate(payload, public_key(public), b"EMS1 slot\x00" + head)
    tag = slot_tag(auth_key(secret), head, root_gen, read_gen, public, blob)
    return Slot(head, root_gen, read_gen, public, blob, tag)


def rewrap(slot: Slot, c: Octets, payload: Octets | None, root_gen: int, read_gen: int) -> Slot:
    """The same way in at other generations, without its credential.

    Args:
        c: What the root keyring has of it.
        payload: What it opens from now on; None: what it opened before, or nothing.

    Raises:
        UnsealError: the slot is not what was made under *c*.
    """
    check_tag(slot, c)
    blob = slot.blob
    if payload is not None:
        blob = encapsulate(payload, public_key(slot.public_key), b"EMS1 slot\x00" + slot.header)
    tag = slot_tag(c, slot.header, root_gen, read_gen, slot.public_key, blob)
    return Slot(slot.header, root_gen, read_gen, slot.public_key, blob, tag)


def check_tag(slot: Slot, c: Octets) -> None:
    """Raise UnsealError unless a slot was made under *c*, which the root keyring has."""
    tag = slot_tag(c, slot.header, slot.root_gen, slot.read_gen, slot.public_key, slot.blob)
    if not equal(tag, slot.tag):
        raise UnsealError("a way in is not what its owner made")


def open_slot(arena: Arena, slot: Slot, header: SlotHeader, secret: Octets) -> Secret | None:
    """The 32 octets that a slot wraps; None when it wraps nothing.

    Raises:
        UnsealError: the credential is not this slot's, or the slot is not what was made with it.
    """
    tag = slot_tag(auth_key(secret), slot.header, slot.root_gen, slot.read_gen, slot.public_key, slot.blob)
    if not equal(tag, slot.tag):
        raise UnsealError("the slot does not open")
    info = b"EMS1 slot\x00" + slot.header
    match header.wrap:
        case Wrap.HPKE:
            if len(slot.blob) != ENCAPSULATED_OCTETS:
                raise UnsealError("the slot does not open")
            return arena.hold(decapsulate(slot.blob, private_key(secret), info))
        case Wrap.SYMMETRIC:
            payload = open_kept(secret, info, slot.blob)
            if len(payload) != 32:
                raise UnsealError("the slot does not open")
            return arena.hold(payload)
        case Wrap.NONE:
            if slot.blob or slot.public_key:
                raise UnsealError("the slot does not open")
            return None
