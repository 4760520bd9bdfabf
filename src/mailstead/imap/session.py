"""Commands about the connection and who is on it (RFC 9051 sections 6.1, 6.2 and 6.3.1)."""

from binascii import Error, a2b_base64
from dataclasses import dataclass, field

from mailstead.imap.tokens import BadSyntax, Tokens, limit

EXTENSIONS_CAP = 50  # in one ENABLE
ID_FIELDS_CAP = 100  # RFC 2971 section 3.3 asks for 30; imapsync sends more words than that
NOT_BASE64 = "Not base64"


@dataclass(frozen=True, slots=True)
class Capability:
    """CAPABILITY."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP: what is new?"""


@dataclass(frozen=True, slots=True)
class Logout:
    """LOGOUT."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS."""


@dataclass(frozen=True, slots=True)
class Login:
    """LOGIN; both are octets, as they came."""

    user: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE.

    Args:
        mechanism: In upper case.
        initial: The initial response (RFC 4959), or None without one.
    """

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Unauthenticate:
    """UNAUTHENTICATE: nobody is logged in any more (RFC 8437)."""


@dataclass(frozen=True, slots=True)
class Enable:
    """ENABLE, its names in upper case (RFC 5161)."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Id:
    """ID, and what the client says it is (RFC 2971)."""

    fields: tuple[tuple[bytes, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Compress:
    """COMPRESS, its algorithm in upper case (RFC 4978)."""

    algorithm: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """NAMESPACE (RFC 2342)."""


@dataclass(frozen=True, slots=True)
class Idle:
    """IDLE (RFC 2177)."""


@dataclass(frozen=True, slots=True)
class Done:
    """DONE: the end of IDLE."""


def read_login(tokens: Tokens) -> Login:
    """LOGIN SP userid SP password."""
    tokens.space()
    user = tokens.astring()
    tokens.space()
    return Login(user, tokens.astring())


def read_authenticate(tokens: Tokens) -> Authenticate:
    """AUTHENTICATE SP auth-type [SP initial-resp]."""
    tokens.space()
    mechanism = tokens.word().decode()
    if not tokens.skip(b" "):
        return Authenticate(mechanism)
    if tokens.skip(b"="):  # an empty response (RFC 4959 section 3)
        return Authenticate(mechanism, b"")
    octets = tokens.text[tokens.at :]
    tokens.at = len(tokens.text)
    return Authenticate(mechanism, base64(octets))


def base64(octets: bytes) -> bytes:
    """What a line of a SASL exchange holds.

    Raises:
        BadSyntax: it is not base64.
    """
    try:
        return a2b_base64(octets, strict_mode=True)
    except Error as error:
        raise BadSyntax(NOT_BASE64) from error


def read_enable(tokens: Tokens) -> Enable:
    """ENABLE 1*(SP capability)."""
    names: list[str] = []
    while tokens.skip(b" "):
        names.append(tokens.word().decode())
        if len(names) > EXTENSIONS_CAP:
            raise limit("Too many extensions")
    if not names:
        raise BadSyntax("Nothing to enable")
    return Enable(tuple(names))


def read_compress(tokens: Tokens) -> Compress:
    """COMPRESS SP algorithm."""
    tokens.space()
    return Compress(tokens.word().decode())


def read_id(tokens: Tokens) -> Id:
    """ID SP ("(" [string SP nstring *(SP string SP nstring)] ")" / NIL)."""
    tokens.space()
    if not tokens.skip(b"("):
        if tokens.word() != b"NIL":
            raise BadSyntax("Expected a list or NIL")
        return Id()
    fields: list[tuple[bytes, bytes | None]] = []
    while not tokens.skip(b")"):
        if fields:
            tokens.space()
        name = tokens.string()
        tokens.space()
        fields.append((name, tokens.nstring()))
        if len(fields) > ID_FIELDS_CAP:
            raise limit("Too many fields")
    return Id(tuple(fields))
