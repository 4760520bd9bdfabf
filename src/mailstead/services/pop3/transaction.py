"""The TRANSACTION and UPDATE states of one session (RFC 1939 sections 5 and 6).

The maildrop is INBOX as it was at the login. No lock is taken: numbers never change, a message that
another session deletes meanwhile is an error when it is asked for, and what is marked here goes at
QUIT and not before.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

from mailstead.accounts.bodies import SMALL
from mailstead.accounts.flagging import FlagChange
from mailstead.accounts.reading import Columns
from mailstead.accounts.unlocked import UnlockedAccount
from mailstead.errors import MailError, Reason, Refused, UnsealError
from mailstead.mail.flags import How
from mailstead.mail.mailbox import INBOX, SystemFlag, Uid
from mailstead.net.wire import NEVER, Wire
from mailstead.pop3 import responses
from mailstead.pop3.commands import Dele, List, Noop, Retr, Rset, Stat, Top, Uidl
from mailstead.pop3.maildrop import Maildrop, Message
from mailstead.pop3.responses import Response, lines, ok
from mailstead.pop3.server import Event
from mailstead.pop3.text import Stuffer, TopCutter

WRITE_SECONDS = 300.0  # in which the peer must take what is sent
Respond = Callable[[Response], bytes]


class CutOff(Exception):
    """A response was begun and cannot be finished: only the end of the connection says so."""


class Transaction:
    """One maildrop, and what is done with it."""

    def __init__(
        self, account: UnlockedAccount, wire: Wire, inbox_id: bytes, messages: list[Message]
    ) -> None:
        self._account = account
        self._wire = wire
        self._inbox_id = inbox_id
        self._maildrop = Maildrop(messages)
        self._retrieved: set[Uid] = set()
        self.count = len(messages)

    @classmethod
    async def begin(cls, account: UnlockedAccount, wire: Wire) -> "Transaction":
        """The maildrop as it is now.

        Raises:
            Unavailable, UnsealError: it cannot be read.
        """
        inbox_id = (await account.mailbox(INBOX)).id
        uids = map(Uid, (await account.snapshot(inbox_id)).uids)
        messages: list[Message] = []
        async for row in account.fetch(inbox_id, uids, Columns.A):
            messages += [Message(m.uid, m.in_a.size, m.in_a.object_id) for m in row]
            await asyncio.sleep(0)
        return cls(account, wire, inbox_id, messages)

    async def answer(self, command: Event, respond: Respond) -> Response | None:
        """The response to *command*; None when it was sent already, with all its lines.

        Raises:
            MailError, UnsealError: a message cannot be had.
            CutOff: nor can the rest of one that was begun.
        """
        drop = self._maildrop
        match command:
            case Stat():
                count, octets = drop.stat()
                return ok(f"{count} {octets}")
            case List(number=None):
                await self._write(respond(ok("Sizes follow")) + lines(drop.sizes()))
            case Uidl(number=None):
                await self._write(respond(ok("Unique ids follow")) + lines(drop.unique_ids()))
            case Rset():
                drop.reset()
                return ok("All messages are kept")
            case Noop():
                return ok("Still here")
            case List() | Uidl() | Retr() | Top() | Dele():
                message = drop.get(command.number or 0)
                if message is None:
                    return responses.NO_SUCH_MESSAGE
                return await self._of_one(command, message, respond)
            case _:
                raise AssertionError("every command is here")
        return None

    async def _of_one(
        self, command: List | Uidl | Retr | Top | Dele, message: Message, respond: Respond
    ) -> Response | None:
        match command:
            case List():
                return ok(f"{command.number} {message.size}")
            case Uidl():
                return ok(f"{command.number} {self._maildrop.unique_id(message).decode()}")
            case Dele():
                self._account.require_write()
                self._maildrop.delete(command.number)
                return ok("Deleted at QUIT")
            case Top():
                await self._send(message, TopCutter(command.lines), respond)
            case Retr():
                await self._send(message, None, respond)
                self._retrieved.add(message.uid)
        return None

    async def update(self) -> bool:
        """UPDATE: delete what is marked, and note what was read; whether all of it is gone."""
        gone = self._maildrop.deleted
        seen = self._retrieved.difference(gone)
        with contextlib.suppress(MailError):  # that it was read is no promise
            if seen:
                await self._account.change_flags(
                    self._inbox_id, sorted(seen), FlagChange(How.ADD, SystemFlag.SEEN)
                )
        try:
            if gone:
                await self._account.expunge(self._inbox_id, gone)
        except (MailError, UnsealError):
            return False
        return True

    async def _send(self, message: Message, cutter: TopCutter | None, respond: Respond) -> None:
        """Send a message, or as much of it as *cutter* lets through.

        The first piece waits until there is a second: what cannot be opened can be refused so long.
        """
        stuffer = Stuffer()
        held = b""
        begun = False
        async with contextlib.aclosing(self._pieces(message)) as pieces:
            try:
                async for octets in pieces:
                    if held:
                        await self._write(held if begun else respond(_size_of(message)) + held)
                        begun = True
                    held = stuffer.push(octets if cutter is None else cutter.push(octets))
                    if cutter is not None and cutter.done:
                        break
            except (MailError, UnsealError) as error:
                if begun:
                    raise CutOff from error
                raise
        held += stuffer.end()
        await self._write(held if begun else respond(_size_of(message)) + held)

    async def _pieces(self, message: Message) -> AsyncGenerator[bytes, None]:
        async for row in self._account.fetch(self._inbox_id, [message.uid], Columns.BODY):
            body = row[0].body
            if body.size > SMALL:
                async for piece in self._account.read(body):
                    yield piece
                return
            found = (await self._account.read_small([body]))[message.uid]
            if isinstance(found, Exception):
                raise found
            yield found
            return
        raise Refused(Reason.NO_SUCH_MESSAGE)

    async def _write(self, octets: bytes) -> None:
        self._wire.write(octets)
        self._wire.deadline = asyncio.get_running_loop().time() + WRITE_SECONDS
        await self._wire.drain()
        self._wire.deadline = NEVER


def _size_of(message: Message) -> Response:
    return ok(f"{message.size} octets")
