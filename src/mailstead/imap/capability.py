"""What a server says it can do, which depends on who is asking (RFC 9051 section 6.1.1).

Rule: a capability stands here when it is right, never before.
"""

from dataclasses import dataclass

_ALWAYS: tuple[bytes, ...] = (b"IMAP4rev1", b"IMAP4rev2", b"LITERAL+", b"SASL-IR", b"ID", b"ENABLE", b"IDLE")
_AFTER_LOGIN: tuple[bytes, ...] = (
    b"NAMESPACE", b"CHILDREN", b"LIST-EXTENDED", b"LIST-STATUS", b"LIST-MYRIGHTS", b"SPECIAL-USE",
    b"CREATE-SPECIAL-USE", b"STATUS=SIZE", b"UIDPLUS", b"UNSELECT", b"MOVE", b"CONDSTORE", b"QRESYNC",
    b"ESEARCH", b"SEARCHRES", b"PARTIAL", b"WITHIN", b"SORT", b"SORT=DISPLAY", b"THREAD=ORDEREDSUBJECT",
    b"THREAD=REFERENCES", b"ESORT", b"I18NLEVEL=1", b"SEARCH=FUZZY", b"CONTEXT=SEARCH", b"CONTEXT=SORT",
    b"MULTIAPPEND", b"UTF8=ACCEPT", b"BINARY", b"PREVIEW", b"OBJECTID", b"QUOTA",
    b"QUOTA=RES-STORAGE", b"ACL", b"RIGHTS=texk", b"UNAUTHENTICATE", b"UIDONLY", b"NOTIFY", b"METADATA",
    b"LIST-METADATA", b"CATENATE", b"REPLACE", b"SAVEDATE", b"MULTISEARCH", b"INPROGRESS",
)  # fmt: skip
_UNCOMPRESSED: tuple[bytes, ...] = (b"COMPRESS=DEFLATE",)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the state of a connection allows.

    Args:
        logged_in: Somebody is.
        starttls: STARTTLS would work.
        plaintext_login: A password may be sent here: by TLS, or where an operator said so.
        append_limit: Octets of the largest message that APPEND takes (RFC 7889).
        mechanisms: SASL mechanisms in upper case.
        compressing: COMPRESS was answered with OK; twice it is not (RFC 4978 section 3).
    """

    logged_in: bool
    starttls: bool
    plaintext_login: bool
    append_limit: int
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    compressing: bool = False

    def names(self) -> bytes:
        """The capabilities, for a response or for a CAPABILITY code."""
        if self.logged_in:
            limit = b"APPENDLIMIT=%d" % self.append_limit
            return b" ".join((*_ALWAYS, *_AFTER_LOGIN, limit, *(() if self.compressing else _UNCOMPRESSED)))
        found = list(_ALWAYS)
        if self.starttls:
            found.append(b"STARTTLS")
        if self.plaintext_login:
            found += [b"AUTH=" + m.encode() for m in self.mechanisms]
        else:
            found.append(b"LOGINDISABLED")
        return b" ".join(found)

    def code(self) -> bytes:
        """The response code: in the greeting, and in the OK of a login."""
        return b"CAPABILITY " + self.names()

    def octets(self) -> bytes:
        """The untagged CAPABILITY response."""
        return b"* CAPABILITY %b\r\n" % self.names()
