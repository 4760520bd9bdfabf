"""CATENATE: octets of messages that are here already, where they lie and on their way (RFC 4469)."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from mailstead.accounts.entries import BodyKey
from mailstead.accounts.reading import Located
from mailstead.errors import Reason, Refused
from mailstead.imap.responses import Answer, no
from mailstead.imap.url import ALL_OF_IT, MessageUrl, Server, parse_url
from mailstead.mail.address import AddressError, parse_mailbox
from mailstead.mail.section import PartNode, Section, Text, filter_header, locate, tree
from mailstead.services.imap.context import Context
from mailstead.services.imap.whole import Whole

HEADER_CAP = 256 << 10  # octets of a header block of which single fields are taken
READ_FACTOR = 2  # times the octets of the largest message are read for one command: scanned, and copied
IMAP_PORT = 143
TOO_MUCH_TO_READ = no("Too many octets to be read for one command", b"LIMIT")


class BadUrl(Exception):
    """A URL that names no octets that this session can have."""


class TooMuchToRead(Exception):
    """The URLs of one command ask for more than there may be."""


def bad_url(url: bytes) -> Answer:
    """Why an APPEND fails, with the URL as it came (RFC 4469 section 4.1).

    url-resp-text = 1*<any TEXT-CHAR except "]">; other octets, which no URL has, are percent-encoded.
    """
    shown = b"".join([b"%c" % c if 32 <= c < 127 and c != 93 else b"%%%02X" % c for c in url])
    return no("There is nothing at that URL", b"BADURL " + (shown or b'""'))


@dataclass(frozen=True, slots=True)
class Source:
    """Octets of a message: *where* they lie in its body, or those at hand."""

    body: BodyKey
    where: range
    at_hand: bytes | None = None

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.where) if self.at_hand is None else len(self.at_hand)


@dataclass(slots=True)
class Sources:
    """What the URLs of one APPEND or REPLACE name.

    Args:
        hostname: Of this server.
        most: Octets that may be read for all of them.
    """

    context: Context
    hostname: str
    most: int
    _kept: tuple[bytes, Located] | None = None  # the last message, and its mailbox
    _root: PartNode | None = field(default=None, repr=False)

    async def find(self, octets: bytes) -> Source:
        """What a URL names.

        Raises:
            BadUrl: nothing.
            TooMuchToRead: it would be read in vain.
        """
        try:
            url = parse_url(octets)
        except ValueError as error:
            raise BadUrl from error
        if url.server is not None and not await self._here(url.server):
            raise BadUrl
        message = await self._message(url)
        section = url.section
        if section.fields:
            return await self._fields(message, url)
        where = range(message.a.size) if section == ALL_OF_IT else await self._where(message, section)
        part = url.partial.of(len(where))
        return Source(message.body, range(where.start + part.start, where.start + part.stop))

    async def pieces(self, source: Source) -> AsyncIterator[bytes]:
        """The octets, a block or less at a time; others have their turn in between.

        Raises:
            BadUrl: the message was expunged meanwhile.
            TooMuchToRead: they are too many.
            OSError: the client is gone, and nobody waits for them.
        """
        if source.at_hand is not None:
            yield source.at_hand
            return
        self._charge(source.size)
        try:
            async for piece in self.context.owner.read(source.body, source.where.start, source.where.stop):
                yield piece
                await asyncio.sleep(0)
                self.context.still_there()
        except Refused as refused:
            raise _named(refused) from refused

    async def _here(self, server: Server) -> bool:
        """Whether that is this server, and who is logged in."""
        transport = self.context.wire.transport
        here = None if transport is None else transport.get_extra_info("sockname")
        ports = {None, IMAP_PORT, here[1] if here else None}
        if server.host != self.hostname.lower() or server.port not in ports or server.user is None:
            return False
        if server.user == self.context.name:
            return True
        try:
            user = parse_mailbox(server.user.encode()).canonical()
        except AddressError:
            return False
        return user in await self.context.owner.addresses()

    async def _message(self, url: MessageUrl) -> Located:
        context = self.context
        try:
            if url.mailbox is not None:
                mailbox = await context.owner.mailbox(url.mailbox)
            elif context.selected is not None:
                mailbox = context.selected.mailbox
            else:
                raise BadUrl
            if url.uid_validity not in (None, mailbox.uid_validity):
                raise BadUrl
            if self._kept is not None and self._kept[0] == mailbox.id and self._kept[1].uid == url.uid:
                return self._kept[1]
            message = await context.owner.locate(mailbox.id, url.uid)
        except Refused as refused:
            raise _named(refused) from refused
        self._kept, self._root = (mailbox.id, message), None
        return message

    async def _where(self, message: Located, section: Section) -> range:
        """Where a section of the message that was found last lies."""
        if self._root is None:
            described = message.b.described
            self._root = tree(described.parts, described.bodystructure)
        if self._root is None:  # the summary had no room for its parts
            self._charge(message.a.size)
            try:
                self._root = (await Whole.read(self.context.owner, message)).root
            except Refused as refused:
                raise _named(refused) from refused
        where = locate(self._root, section)
        if where is None:
            raise BadUrl
        return where

    async def _fields(self, message: Located, url: MessageUrl) -> Source:
        section = url.section
        if section.in_root_header and message.b.header_whole:
            block = message.b.described.header
        else:
            where = await self._where(message, section)
            if len(where) > HEADER_CAP:
                raise TooMuchToRead
            block = b"".join([piece async for piece in self.pieces(Source(message.body, where))])
        chosen = filter_header(block, section.fields, wanted=section.text is Text.FIELDS)
        part = url.partial.of(len(chosen))
        return Source(message.body, range(0), chosen[part.start : part.stop])

    def _charge(self, octets: int) -> None:
        self.most -= octets
        if self.most < 0:
            raise TooMuchToRead


def _named(refused: Refused) -> Exception:
    """What is not there makes a bad URL; other refusals stay what they are."""
    gone = refused.reason in (Reason.NO_SUCH_MAILBOX, Reason.NO_SUCH_MESSAGE)
    return BadUrl() if gone else refused
