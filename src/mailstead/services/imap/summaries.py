"""What SORT and THREAD look at in each message: columns of a page, and the body where those had no room."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple, TypeVar

from mailstead.accounts.bodies import SMALL
from mailstead.accounts.entries import EntryA
from mailstead.accounts.reading import Columns
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import Uid
from mailstead.mail.render import envelope
from mailstead.mail.structure import HEADER_CAP, Scanner
from mailstead.services.imap.context import Context
from mailstead.services.imap.search import take_turns, together

T = TypeVar("T")


class Seen(NamedTuple):
    """One message; *envelope* and *header* are empty where they were not asked for."""

    a: EntryA
    envelope: bytes
    header: bytes


async def summaries(
    context: Context, uids: Iterable[Uid], make: Callable[[Seen], T], *, envelopes: bool, headers: bool
) -> AsyncIterator[list[tuple[Uid, T]]]:
    """What *make* gives for those of *uids* that are there, in order, a row at a time; no more is held."""
    columns = Columns.BOTH if headers else Columns.A
    async for row in context.owner.fetch(context.chosen.mailbox.id, uids, columns):
        found: dict[Uid, T | None] = {}
        lacking: dict[Uid, EntryA] = {}
        for message in row:
            a = message.in_a
            shown = a.envelope if envelopes else b""
            if (envelopes and not shown) or (headers and not message.in_b.header_whole):
                lacking[message.uid] = a
                found[message.uid] = None
            else:
                header = message.in_b.described.header if headers else b""
                found[message.uid] = make(Seen(a, shown, header))
        if lacking:
            async for uid, shown, header in _scanned(context, lacking):
                found[uid] = make(Seen(lacking[uid], shown, header))
        yield [(uid, made) for uid, made in found.items() if made is not None]
        await take_turns(context)


async def _scanned(context: Context, wanted: Iterable[Uid]) -> AsyncIterator[tuple[Uid, bytes, bytes]]:
    """ENVELOPE and header block, read again; not of what was expunged meanwhile."""
    owner = context.owner
    keys = [m.body async for row in owner.fetch(context.chosen.mailbox.id, wanted, Columns.BODY) for m in row]
    for some in together(keys, lambda key: key.size):
        small = await owner.read_small([key for key in some if key.size <= SMALL])
        for key in some:
            context.still_there()
            try:
                octets = small.get(key.uid)
                if octets is None:
                    octets = b"".join([p async for p in owner.read(key, 0, HEADER_CAP)])
                elif not isinstance(octets, bytes):
                    raise octets
            except Refused as refused:
                if refused.reason is not Reason.NO_SUCH_MESSAGE:
                    raise
                continue
            scanner = Scanner()
            scanner.push(octets)
            structure = scanner.finish()
            yield key.uid, envelope(structure.root), structure.header
        await take_turns(context)
