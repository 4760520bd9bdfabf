"""Fuzz targets: for each parser of ours a function that takes octets, and returns or raises what it documents.

Anything else that comes out of one is a fault.
"""

import contextlib
import re
from collections.abc import Callable

from mailstead.accounts import annotations, mboxes, pages
from mailstead.accounts import entries as packed
from mailstead.accounts.accessentries import Entries
from mailstead.accounts.accountleaf import AccountLeaf
from mailstead.accounts.anchor import Anchor
from mailstead.accounts.counts import Counts
from mailstead.accounts.leaves import Leaf
from mailstead.accounts.states import RowStates
from mailstead.crypto import escrow, frame, keyring, passwords, primitives
from mailstead.crypto.apppasswords import invitation
from mailstead.crypto.lanes import EXTENT
from mailstead.crypto.ledger import read_lines
from mailstead.crypto.sealed import Kind, Sealed
from mailstead.crypto.slots import SlotHeader
from mailstead.crypto.unseal import BodyReader, RecordName
from mailstead.errors import UnsealError
from mailstead.mail.address import AddressError, canonical_local, parse_path
from mailstead.mail.addresslist import address_list
from mailstead.mail.encodedwords import text
from mailstead.mail.header import fields, parameterised
from mailstead.mail.mailbox import mailbox_name
from mailstead.mail.structure import Scanner
from mailstead.mail.summary import Provenance, Summary, summarise
from mailstead.mail.text import display
from mailstead.sasl.mechanism import Done, Failed, Named, Proven
from mailstead.sasl.scram import Scram
from mailstead.smtp.client import ReplyError, ReplyReader
from mailstead.smtp.commands import Bdat, Plain, parse
from mailstead.smtp.reply import OK, START_INPUT
from mailstead.smtp.server import BodyChunk, Need, ServerConnection, State
from tests.fuzz.targets import http, imap, pop3


def structure(octets: bytes) -> None:
    """The scanner, cut where the first octet says and whole: one summary, which can be read back."""
    cut = octets[0] if octets else 0
    made: list[bytes] = []
    for pieces in ((octets[:cut], octets[cut:]), (octets,)):
        scanner = Scanner()
        for piece in pieces:
            scanner.push(piece)
        found = summarise(scanner.finish(), internal_date=0, trace_octets=0, provenance=Provenance.DELIVERED)
        made.append(found.encode(bytes(16)))
    assert made[0] == made[1]
    assert Summary.decode(made[0]).encode(bytes(16)) == made[0]
    for rendered in (found.envelope, found.bodystructure):
        balanced(rendered)


def balanced(rendered: bytes) -> None:
    """What is sent as it is to a mail program is one whole list of IMAP."""
    depth = at = 0
    while at < len(rendered):
        token = _IMAP.match(rendered, at)
        assert token is not None, rendered[at:]
        at = token.end() + int(token[1] or 0)
        depth += (token[0] == b"(") - (token[0] == b")")
        assert depth > 0 or at == len(rendered)
    assert at == len(rendered)
    assert depth == 0


# list, quoted string, literal, NIL or number, space (RFC 9051 section 9)
_IMAP = re.compile(rb'[()]|"(?:[^"\\\r\n\x80-\xff]|\\["\\])*"|\{(\d+)\}\r\n|NIL|\d+| ')


def headers(octets: bytes) -> None:
    """Fields, parameters and encoded words."""
    for _, value in fields(octets):
        parameterised(value)
        text(value)


def addresses(octets: bytes) -> None:
    """Address lists of headers, and paths of the envelope."""
    address_list(octets)
    with contextlib.suppress(AddressError):
        found, _ = parse_path(octets)
        if found is not None:
            found.canonical()
    with contextlib.suppress(AddressError, UnicodeDecodeError):
        canonical_local(octets.decode())


def shown(octets: bytes) -> None:
    """What `--show-mail` prints: no control character reaches a terminal."""
    printed = display(octets)
    assert not any(ord(c) < 32 and c not in "\n\t" for c in printed)
    assert "\x7f" not in printed


def command(octets: bytes) -> None:
    """One line of SMTP."""
    parse(octets, lmtp=False, size_limit=1000)


def conversation(octets: bytes) -> None:
    """A whole connection, whatever is sent; what it stores never has a bare line end."""
    connection = ServerConnection(lmtp=False, size_limit=1000)
    connection.receive(b"EHLO a\r\nMAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\n" + octets)
    for _ in range(len(octets) + 100):
        event = connection.next_event()
        match event:
            case Need.OCTETS:
                return
            case BodyChunk(octets=piece):
                assert b"\0" not in piece
            case Bdat():
                pass
            case Plain.DATA:
                connection.reply(START_INPUT)
            case _:
                connection.reply(getattr(event, "reply", None) or getattr(event, "error", None) or OK)
        if connection.state is State.CLOSED:
            return
    raise AssertionError("a connection that does not come to an end")


def client_reply(octets: bytes) -> None:
    """What a server answers to our client."""
    reader = ReplyReader()
    reader.receive(octets)
    with contextlib.suppress(ReplyError):
        while reader.next_reply() is not None:
            pass


def body(octets: bytes) -> None:
    """What the content of a BODY record may be, made by whoever has the public key."""
    if len(octets) < 4:
        return
    flags, size = (1, 3, 9, octets[0])[octets[1] & 3], int.from_bytes(octets[1:4], "big")
    name = RecordName(bytes(16), bytes(16), bytes(16), 0, flags)
    sealed = primitives.seal(bytes(32), name.context(Kind.BODY), frame.frame(octets[4:]))
    extents = [Sealed(sealed[at : at + EXTENT]) for at in range(0, len(sealed), EXTENT)]
    with contextlib.suppress(UnsealError):
        reader = BodyReader(bytes(32), name, extents[0], len(sealed), size)
        table = reader.needs_table()
        if table is not None:
            reader.take_table(extents[table.start : table.stop])
        for block in reader.blocks(0, size):
            needed = reader.needs(block)
            assert len(reader.read(block, needed.start, extents[needed.start : needed.stop])) <= 65536


def typed(octets: bytes) -> None:
    """What people type: passwords, recovery words, names of mailboxes."""
    with contextlib.suppress(ValueError):
        prepared = passwords.prepare(octets)
        assert passwords.prepare(prepared[:1024])
    with contextlib.suppress(ValueError):
        assert len(passwords.entropy(octets.decode())) == 16
    with contextlib.suppress(ValueError):
        assert invitation(invitation(octets)) == invitation(octets)
    with contextlib.suppress(ValueError):
        assert len(escrow.parse_seed(octets.decode())) == 32
    with contextlib.suppress(ValueError):
        key = escrow.EscrowKey.parse(octets.decode())
        assert escrow.EscrowKey.parse(str(key)) == key
    with contextlib.suppress(ValueError):
        assert len(escrow.join(octets.decode().split("\n"))) == 32
    with contextlib.suppress(ValueError):
        name = mailbox_name(octets.decode())
        assert mailbox_name(name) == name


def scram(octets: bytes) -> None:
    """A client's side of SCRAM, a message a line; the first octet says what the connection offers."""
    kind = octets[0] if octets else 0
    exchange = Scram(b"server", b"binding" if kind & 1 else None, plus_offered=bool(kind & 2))
    for line in octets[1:].split(b"\n"):
        step = exchange.step(line)
        if isinstance(step, Named):
            step.user.decode()
            exchange.salted(b"salt", 4096)
        elif isinstance(step, Proven):
            assert len(step.proof) == 32
            assert step.message.count(b"r=") >= 3
            exchange.proved(b"signature")
        elif isinstance(step, Done | Failed):
            return


def records(octets: bytes) -> None:
    """Everything that is found inside of a record once it has been opened."""
    decoders: list[Callable[[bytes], object]] = [
        Summary.decode, RowStates.decode, Counts.decode, mboxes.decode, keyring.decode_read,
        keyring.decode_root, SlotHeader.decode, frame.unframe, lambda o: pages.split(0, o),
        lambda o: pages.pick(0, o, {1, 300}), lambda o: packed.unpack_a(o).envelope,
        lambda o: packed.unpack_b(o).described, lambda o: frame.decompress(o, 65536), frame.decompress_entry,
        lambda o: frame.read_seek_table(o, 2, 70000), annotations.decode, Leaf.decode, AccountLeaf.decode,
        Anchor.decode, Entries.decode, read_lines,
    ]  # fmt: skip
    for decode in decoders:
        with contextlib.suppress(UnsealError):
            decode(octets)


TARGETS: dict[str, Callable[[bytes], None]] = (
    {
        f.__name__: f
        for f in (
            structure,
            headers,
            addresses,
            shown,
            command,
            conversation,
            client_reply,
            records,
            body,
            typed,
            scram,
        )
    }
    | http.TARGETS
    | imap.TARGETS
    | pop3.TARGETS
)
