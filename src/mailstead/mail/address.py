"""Addresses of the envelope (RFC 5321 section 4.1.2), and the one form in which they are looked up."""

import re
import unicodedata
from dataclasses import dataclass

import idna

PATH_OCTETS = 256  # RFC 5321 section 4.5.3.1.3
LOCAL_OCTETS = 64
DOMAIN_OCTETS = 255

# Dot-string = Atom *("." Atom); Quoted-string = DQUOTE *QcontentSMTP DQUOTE
# All but ASCII is in them (RFC 6531 section 3.3): a class that names the rest takes 50 ms to compile.
_ATEXT = r"""[^\x00-\x20"(),.:;<>@\[\\\]\x7f]"""
_DOT_STRING = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_QUOTED = re.compile(r'"((?:[^\x00-\x1f"\\\x7f]|\\[ -~])*)"')
_LETTER = r"[^\x00-/:-@\[-`{-\x7f]"
_LABEL = rf"{_LETTER}(?:[^\x00-,./:-@\[-`{{-\x7f]{{0,61}}{_LETTER})?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_LITERAL = re.compile(r"\[(?:[0-9.]{7,15}|IPv6:[0-9A-Fa-f:.]{2,45})\]")
# A-d-l = At-domain *( "," At-domain ): accepted and ignored (RFC 5321 appendix C)
_ROUTE = re.compile(rf"@{_LABEL}(?:\.{_LABEL})*(?:,@{_LABEL}(?:\.{_LABEL})*)*:")
_QUOTED_PAIR = re.compile(r"\\(.)")


class AddressError(ValueError):
    """It is not an address."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox of the envelope.

    Args:
        local: The local part without quotes, as it came.
        domain: The domain or address literal as it came; empty for a bare Postmaster.
    """

    local: str
    domain: str

    def __str__(self) -> str:
        local = self.local
        if not _DOT_STRING.fullmatch(local):
            escaped = local.replace("\\", "\\\\").replace('"', '\\"')
            local = f'"{escaped}"'
        return f"{local}@{self.domain}" if self.domain else local

    def is_ascii(self) -> bool:
        """Whether it needs no SMTPUTF8 (RFC 6531)."""
        return self.local.isascii() and self.domain.isascii()

    def canonical(self) -> str:
        """The form that is looked up: case folded and NFC, the domain as A-labels.

        Raises:
            AddressError: it has a character that two people could read as another.
        """
        local = canonical_local(self.local)
        return f"{local}@{canonical_domain(self.domain)}" if self.domain else local


def canonical_local(local: str) -> str:
    """A local part or login name in its one form (after RFC 8265 UsernameCaseMapped).

    Raises:
        AddressError: it has control or compatibility characters.
    """
    if local.isascii():
        if not local.isprintable():
            raise AddressError("an address has no control characters")
        return local.lower()
    if len(local.encode()) > DOMAIN_OCTETS:
        raise AddressError("the local part is too long")
    narrow = "".join(_narrow(c) for c in local)
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", narrow).lower())
    if unicodedata.normalize("NFKC", folded) != folded or not folded.isprintable():
        raise AddressError("the address has a character that looks like another")
    return folded


def _narrow(character: str) -> str:
    """Full-width and half-width forms are their ordinary selves (RFC 8265 section 3.3.2)."""
    if unicodedata.decomposition(character).startswith(("<wide>", "<narrow>")):
        return unicodedata.normalize("NFKC", character)
    return character


def canonical_domain(domain: str) -> str:
    """A domain in lower case and A-labels, without a trailing dot; a literal in lower case.

    Raises:
        AddressError: it is no domain name.
    """
    bare = domain.removesuffix(".")
    if bare.isascii():
        return bare.lower()
    if len(bare.encode()) > DOMAIN_OCTETS:
        raise AddressError("the domain is too long")
    try:
        return idna.encode(bare, uts46=True).decode().lower()
    except idna.IDNAError as error:
        raise AddressError("not a domain name") from error


def parse_mailbox(octets: bytes) -> Address:
    """Read `local-part@domain`.

    Raises:
        AddressError: it is not one, or too long.
    """
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        raise AddressError("an address is ASCII or UTF-8") from error
    quoted = _QUOTED.match(text)
    if quoted is not None:
        local, rest = _QUOTED_PAIR.sub(r"\1", quoted[1]), text[quoted.end() :]
    else:
        plain = _DOT_STRING.match(text)
        if plain is None:
            raise AddressError("there is no local part")
        local, rest = plain[0], text[plain.end() :]
    domain = rest[1:]
    if not rest.startswith("@") or not (_DOMAIN.fullmatch(domain) or _LITERAL.fullmatch(domain)):
        raise AddressError("there is no domain")
    # The limit is 64 octets, but longer ones exist and are harmless (RFC 5321 section 4.5.3.1.1).
    if len(octets) > PATH_OCTETS or len(domain.encode()) > DOMAIN_OCTETS:
        raise AddressError("the address is too long")
    if not local.isprintable():
        raise AddressError("an address has no control characters")
    return Address(local, domain)


def parse_path(octets: bytes) -> tuple[Address | None, bytes]:
    """Read a path in angle brackets at the beginning of *octets*; what follows it is returned.

    The null path <> is None; <Postmaster> has an empty domain; a source route is dropped.

    Raises:
        AddressError: there is no path.
    """
    end = _path_end(octets)
    inner, rest = octets[1:end], octets[end + 1 :]
    if not inner:
        return None, rest
    if inner.lower() == b"postmaster":
        return Address(inner.decode(), ""), rest
    if inner.startswith(b"@"):
        if len(inner) > PATH_OCTETS:
            raise AddressError("the path is too long")
        route = _ROUTE.match(inner.decode("utf-8", "replace"))
        if route is None:
            raise AddressError("the source route is malformed")
        inner = inner[len(route[0].encode()) :]
    return parse_mailbox(inner), rest


def _path_end(octets: bytes) -> int:
    """Where the bracket closes; one inside a quoted string does not count."""
    if not octets.startswith(b"<"):
        raise AddressError("a path stands in angle brackets")
    end = octets.find(b">")
    if octets.find(b'"', 1, end) < 0:  # nothing is quoted: the first bracket closes it
        if end < 0:
            raise AddressError("the path has no end")
        return end
    quoted = False
    at = 1
    while at < len(octets):
        octet = octets[at]
        if octet == 0x5C and quoted:
            at += 1
        elif octet == 0x22:
            quoted = not quoted
        elif octet == 0x3E and not quoted:
            return at
        at += 1
    raise AddressError("the path has no end")
