"""What a server says: completion results, response codes and untagged data, as octets (RFC 9051 section 7).

Rule 1: a string of somebody else's is quoted or a literal, never an atom: it cannot end its response.
Rule 2: nothing a client sent is repeated but its tag, which was checked, and what it named.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from mailstead.errors import Reason
from mailstead.imap.mutf7 import encode
from mailstead.mail.flags import Flags
from mailstead.mail.mailbox import SystemFlag
from mailstead.mail.render import nstring, string
from mailstead.mail.uidset import UidSet, in_order

NO_TAG = b"*"


class Condition(Enum):
    """How a command went (RFC 9051 section 7.1)."""

    OK = b"OK"
    NO = b"NO"
    BAD = b"BAD"
    BYE = b"BYE"
    PREAUTH = b"PREAUTH"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status response: completion of a command, or news about the connection.

    Args:
        code: A response code with its arguments, without the brackets.
    """

    condition: Condition
    text: str
    code: bytes = b""

    def octets(self, tag: bytes = NO_TAG) -> bytes:
        """What is sent; BYE and PREAUTH never carry a tag."""
        if self.condition in (Condition.BYE, Condition.PREAUTH):
            tag = NO_TAG
        code = b"[%b] " % self.code if self.code else b""
        return b"%b %b %b%b\r\n" % (tag, self.condition.value, code, self.text.encode("ascii", "replace"))


def ok(text: str, code: bytes = b"") -> Answer:
    """It was done."""
    return Answer(Condition.OK, text, code)


def no(text: str, code: bytes = b"") -> Answer:
    """It was not done."""
    return Answer(Condition.NO, text, code)


def bad(text: str, code: bytes = b"") -> Answer:
    """It is no command, or not here."""
    return Answer(Condition.BAD, text, code)


def bye(text: str, code: bytes = b"") -> Answer:
    """The connection ends."""
    return Answer(Condition.BYE, text, code)


def alert(text: str) -> bytes:
    """What a client must show to its user (RFC 9051 section 7.1)."""
    return no(text, b"ALERT").octets()


LOGGING_OUT = bye("Logging out")
SHUTTING_DOWN = bye("Shutting down, try again later", b"UNAVAILABLE")
TOO_SLOW = bye("Timeout, closing connection")
TOO_MANY_ERRORS = bye("Too many errors")
TOO_MANY_CONNECTIONS = bye("Too many connections", b"LIMIT")
LOGIN_REVOKED = bye("Log in again", b"AUTHENTICATIONFAILED")
GARBLED = bye("Malformed compressed data")
NO_SUCH_COMPRESSION = bad("No such compression")
COMPRESSION_ACTIVE = no("COMPRESS is active already", b"COMPRESSIONACTIVE")
READ_ONLY = no("The mailbox is read-only", b"READ-ONLY")
LOGIN_FAILED = no("Authentication failed", b"AUTHENTICATIONFAILED")
SCRAM_FAILED = no("Authentication failed; SCRAM takes app passwords only", b"AUTHENTICATIONFAILED")
TRY_CREATE = no("No such mailbox", b"TRYCREATE")
ACL_IS_FIXED = no("Rights cannot be given here", b"CANNOT")
CANCELLED = bad("Authentication cancelled")
NO_SUCH_MECHANISM = no("Mechanism not supported", b"CANNOT")
BEGIN_TLS = ok("Begin TLS negotiation now")
NO_TLS = bad("TLS is not available here")

FOR_REASON: dict[Reason, Answer] = {
    Reason.NO_SUCH_RECIPIENT: no("No such recipient here", b"CANNOT"),
    Reason.ACCOUNT_DISABLED: LOGIN_FAILED,
    Reason.RELAY_DENIED: no("Relaying denied", b"CANNOT"),
    Reason.OVER_QUOTA: no("Quota exceeded", b"OVERQUOTA"),
    Reason.NO_KEY: no("Mail cannot be opened now, try again later", b"UNAVAILABLE"),
    Reason.KEY_CHANGED: no("Mail cannot be opened now, try again later", b"UNAVAILABLE"),
    Reason.MESSAGE_TOO_LARGE: no("Message too large", b"TOOBIG"),
    Reason.TOO_MANY_HOPS: no("Too many hops", b"CANNOT"),
    Reason.STORAGE_FULL: no("Insufficient storage", b"OVERQUOTA"),
    Reason.STORAGE_UNAVAILABLE: no("Storage unavailable, try again later", b"UNAVAILABLE"),
    Reason.SHUTTING_DOWN: no("Shutting down, try again later", b"UNAVAILABLE"),
    Reason.ADDRESS_TAKEN: no("Already exists", b"ALREADYEXISTS"),
    Reason.NO_SUCH_MAILBOX: no("No such mailbox", b"NONEXISTENT"),
    Reason.MAILBOX_EXISTS: no("The mailbox exists", b"ALREADYEXISTS"),
    Reason.MAILBOX_HAS_CHILDREN: no("There are only mailboxes below it", b"HASCHILDREN"),
    Reason.MAILBOX_FIXED: no("Not with this mailbox", b"CANNOT"),
    Reason.TOO_MANY_MAILBOXES: no("Too many mailboxes", b"LIMIT"),
    Reason.SPECIAL_USE_TAKEN: no("Another mailbox is for that", b"USEATTR"),
    Reason.NO_SUCH_MESSAGE: no("Some messages are gone", b"EXPUNGEISSUED"),
    Reason.NO_SUCH_ACCOUNT: LOGIN_FAILED,
    Reason.LOGIN_FAILED: LOGIN_FAILED,
    Reason.TOO_BUSY: no("Too busy, try again later", b"UNAVAILABLE"),
    Reason.TOO_MANY_KEYWORDS: no("Too many keywords", b"LIMIT"),
    Reason.TOO_MANY_ANNOTATIONS: no("Too many annotations", b"METADATA TOOMANY"),
    Reason.NOT_AS_LEFT: no("It is not as it was left, and can only be read", b"CONTACTADMIN"),
    Reason.DAMAGED: no("The data is damaged; the server's log says more", b"CONTACTADMIN"),
    Reason.OUT_OF_SCOPE: no("This app password is for sending mail only", b"NOPERM"),
    Reason.READ_ONLY: no("This login may only read", b"NOPERM"),
    Reason.NAME_TAKEN: no("Already exists", b"ALREADYEXISTS"),
    Reason.TOO_MANY_WAYS_IN: no("Too many app passwords", b"LIMIT"),
    Reason.NO_SUCH_WAY_IN: no("No such way in", b"NONEXISTENT"),
    Reason.SEVERAL_WAYS_IN: no("Several ways in have this name", b"CANNOT"),
    Reason.LAST_WAY_IN: no("Nothing else would open the mail", b"CANNOT"),
}

_NAMES = (
    (SystemFlag.ANSWERED, b"\\Answered"),
    (SystemFlag.FLAGGED, b"\\Flagged"),
    (SystemFlag.DELETED, b"\\Deleted"),
    (SystemFlag.SEEN, b"\\Seen"),
    (SystemFlag.DRAFT, b"\\Draft"),
)
# Between parentheses, by the number that the flags are.
SYSTEM_FLAGS = tuple(b" ".join(name for flag, name in _NAMES if flag & n) for n in range(32))


def flag_names(flags: Flags, *, recent: bool = False) -> bytes:
    """Flags as they stand between parentheses."""
    shown = SYSTEM_FLAGS[flags.system]
    if recent or flags.keywords:
        more = [b"\\Recent"] if recent else []
        more += [k.encode() for k in sorted(flags.keywords)]
        shown = b" ".join([shown, *more] if shown else more)
    return shown


def defined_flags(keywords: Iterable[str]) -> bytes:
    """The untagged FLAGS response (RFC 9051 section 7.3.5)."""
    return b"* FLAGS (%b)\r\n" % flag_names(_all_flags(keywords))


def permanent_flags(keywords: Iterable[str], *, writable: bool) -> bytes:
    """The PERMANENTFLAGS response; a mailbox that can be written takes new keywords."""
    if not writable:
        return ok("Read-only mailbox", b"PERMANENTFLAGS ()").octets()
    names = flag_names(_all_flags(keywords))
    return ok("Flags permitted", b"PERMANENTFLAGS (%b \\*)" % names).octets()


def _all_flags(keywords: Iterable[str]) -> Flags:
    return Flags(SystemFlag(31), frozenset(keywords))


def exists(count: int) -> bytes:
    """How many messages there are (RFC 9051 section 7.4.1)."""
    return b"* %d EXISTS\r\n" % count


def recent(count: int) -> bytes:
    """How many of them are recent (RFC 3501 section 7.3.2)."""
    return b"* %d RECENT\r\n" % count


def fetch(number: int, items: Iterable[bytes], word: bytes = b"FETCH") -> bytes:
    """One FETCH response of whole items (RFC 9051 section 7.5.2), or UIDFETCH (RFC 9586 section 3.3)."""
    return b"* %d %b (%b)\r\n" % (number, word, b" ".join(items))


def fetch_form(word: bytes, *, uid: bool, flags: bool = False, modseq: bool = False) -> bytes:
    """The form of a response with these items, to be filled in with "%": the number first, then they."""
    items = [
        form
        for form, wanted in ((b"UID %d", uid), (b"FLAGS (%b)", flags), (b"MODSEQ (%d)", modseq))
        if wanted
    ]
    return b"* %%d %b (%b)\r\n" % (word, b" ".join(items))


def literal(label: bytes, size: int) -> bytes:
    """An item of *size* octets that are sent right behind it."""
    return b"%b {%d}\r\n" % (label, size)


def item(label: bytes, octets: bytes | None) -> bytes:
    """An item whose octets are here; NIL for None."""
    if octets is None or len(octets) < 64:
        return b"%b %b" % (label, nstring(octets))
    return b"%b {%d}\r\n%b" % (label, len(octets), octets)


def mailbox(name: str, *, utf8: bool = False) -> bytes:
    """A mailbox name, always quoted: in modified UTF-7, or as it is for who asked for UTF-8."""
    return string(encode(name)) if not utf8 else b'"%b"' % _escaped(name)


def _escaped(name: str) -> bytes:
    return name.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def status(name: str, values: Iterable[tuple[bytes, int | bytes]], *, utf8: bool = False) -> bytes:
    """The STATUS response (RFC 9051 section 7.3.4)."""
    shown = b" ".join([b"%b %b" % (k, v if isinstance(v, bytes) else b"%d" % v) for k, v in values])
    return b"* STATUS %b (%b)\r\n" % (mailbox(name, utf8=utf8), shown)


def search(numbers: Iterable[int], modseq: int | None = None) -> bytes:
    """The SEARCH response (RFC 3501 section 7.2.5), with the highest *modseq* found (RFC 7162)."""
    behind = b"\r\n" if modseq is None else b" (MODSEQ %d)\r\n" % modseq
    return b"".join([b"* SEARCH", *[b" %d" % n for n in numbers], behind])


def highest_modseq(modseq: int) -> bytes:
    """The HIGHESTMODSEQ code (RFC 7162 section 3.1.2.1)."""
    return b"HIGHESTMODSEQ %d" % modseq


def modified(messages: Iterable[int]) -> bytes:
    """The MODIFIED code: numbers or UIDs that a conditional STORE left alone, or nothing (section 3.1.3)."""
    found = UidSet.of(messages)
    return b"MODIFIED " + str(found).encode() if found.ranges else b""


def enabled(names: Iterable[bytes]) -> bytes:
    """The ENABLED response (RFC 5161 section 3.2)."""
    return b" ".join([b"* ENABLED", *names]) + b"\r\n"


def namespaces() -> bytes:
    """One personal namespace, and no other (RFC 2342 section 5)."""
    return b'* NAMESPACE (("" "/")) NIL NIL\r\n'


def server_id(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The ID response (RFC 2971 section 3.2)."""
    pairs = b" ".join([b"%b %b" % (string(name), string(value)) for name, value in fields])
    return b"* ID (%b)\r\n" % pairs if pairs else b"* ID NIL\r\n"


RIGHTS = b"lrswipkxtecda"  # the owner has them all (RFC 4314 section 2.1)
READ_RIGHTS = b"lr"


def my_rights(name: str, *, writable: bool = True, utf8: bool = False) -> bytes:
    """The MYRIGHTS response (RFC 4314 section 3.8); *writable*: unless the login may only read."""
    return b"* MYRIGHTS %b %b\r\n" % (mailbox(name, utf8=utf8), RIGHTS if writable else READ_RIGHTS)


def acl(name: str, owner: str, *, utf8: bool = False) -> bytes:
    """The ACL response: the owner is the only one who has rights (RFC 4314 section 3.6)."""
    return b"* ACL %b %b %b\r\n" % (mailbox(name, utf8=utf8), string(owner.encode()), RIGHTS)


def list_rights(name: str, identifier: bytes, *, owner: bool, utf8: bool = False) -> bytes:
    """The LISTRIGHTS response: the owner has all, another can have none (RFC 4314 section 3.7)."""
    shown = mailbox(name, utf8=utf8), string(identifier), RIGHTS if owner else b'""'
    return b"* LISTRIGHTS %b %b %b\r\n" % shown


def append_uid(uid_validity: int, uids: UidSet) -> bytes:
    """The APPENDUID code (RFC 4315 section 3)."""
    return b"APPENDUID %d %b" % (uid_validity, str(uids).encode())


def copy_uid(uid_validity: int, pairs: Iterable[tuple[int, int]]) -> bytes:
    """The COPYUID code for pairs of source and target UID, or nothing for none (RFC 4315 section 3).

    The sets are positional, so they are written in the order of *pairs*.
    """
    ordered = list(pairs)
    if not ordered:
        return b""
    sources, targets = zip(*ordered, strict=True)
    return b"COPYUID %d %b %b" % (uid_validity, in_order(sources).encode(), in_order(targets).encode())
