"""What SORT and THREAD look at in each message: columns of a page, and the body where those had no room."""

from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

from mailstead.accounts.bodies import SMALL
from mailstead.accounts.entries import EntryA
from mailstead.accounts.reading import Columns, Fetched
from mailstead.errors import Reason, Refused
from mailstead.mail.mailbox import Uid
from mailstead.mail.render import envelope
from mailstead.mail.structure import HEADER_CAP, Scanner
from mailstead.services.imap.context import Context
from mailstead.services.imap.search import take_turns, together


class Seen(NamedTuple):
    """One message; *envelope* and *header* are empty where they were not asked for."""

    uid: Uid
    a: EntryA
    envelope: bytes
    header: bytes


async def summaries(
    context: Context, uids: Iterable[Uid], *, envelopes: bool, headers: bool
) -> AsyncIterator[list[Seen]]:
    """Those of *uids* that are there, in order, a row at a time."""
    columns = Columns.BOTH if headers else Columns.A
    async for row in context.owner.fetch(context.chosen.mailbox.id, uids, columns):
        found: list[Seen] = []
        lacking: list[Fetched] = []
        for message in row:
            a = message.in_a
            shown = a.envelope if envelopes else b""
            header = message.in_b.described.header if headers else b""
            found.append(Seen(message.uid, a, shown, header))
            if (envelopes and not shown) or (headers and not message.in_b.header_whole):
                lacking.append(message)
        if lacking:
            scanned = await _scanned(context, lacking)
            missed = {m.uid for m in lacking} - scanned.keys()
            found = [Seen(s.uid, s.a, *scanned.get(s.uid, s[2:])) for s in found if s.uid not in missed]
        yield found
        await take_turns(context)


async def _scanned(context: Context, lacking: list[Fetched]) -> dict[Uid, tuple[bytes, bytes]]:
    """ENVELOPE and header block, read again; not of what was expunged meanwhile."""
    owner = context.owner
    wanted = [m.uid for m in lacking]
    keys = [m.body async for row in owner.fetch(context.chosen.mailbox.id, wanted, Columns.BODY) for m in row]
    found: dict[Uid, tuple[bytes, bytes]] = {}
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
            found[key.uid] = envelope(structure.root), structure.header
        await take_turns(context)
    return found
