"""The flags and mod-sequences of messages, told from the snapshot: no page is opened."""

import asyncio
from collections.abc import Iterable, Sequence

from mailstead.imap import responses as answers
from mailstead.services.imap.context import Context
from mailstead.services.imap.selected import Numbered

AT_ONCE = 1000  # responses that are sent as one


async def tell_flags(context: Context, messages: Sequence[Numbered], *, uids: bool) -> None:
    """Send the flags of messages, with mod-sequences to who knows them, and then with UIDs."""
    selected, dialect = context.chosen, context.dialect
    uids = uids or (dialect.modseqs and not dialect.uid_only)
    row = answers.fetch_form(dialect.numbered, uid=uids, flags=True, modseq=dialect.modseqs)
    for start in range(0, len(messages), AT_ONCE):
        some = messages[start : start + AT_ONCE]
        known = [uid for _, uid in some]
        octets = context.defined(known)
        columns: list[Iterable[int | bytes]] = [known if dialect.uid_only else [n for n, _ in some]]
        columns += [known] if uids else []
        columns += [selected.all_shown(known)]
        columns += [selected.modseqs(known)] if dialect.modseqs else []
        octets += b"".join([row % shown for shown in zip(*columns, strict=True)])
        selected.view.forget_changes(known)
        await context.send(octets)
        await asyncio.sleep(0)


async def tell_modseqs_of(context: Context, messages: Sequence[Numbered]) -> None:
    """Send the mod-sequences of messages, and nothing else."""
    selected, dialect = context.chosen, context.dialect
    row = answers.fetch_form(dialect.numbered, uid=not dialect.uid_only, modseq=True)
    for start in range(0, len(messages), AT_ONCE):
        some = messages[start : start + AT_ONCE]
        known = [uid for _, uid in some]
        columns = [known] if dialect.uid_only else [[number for number, _ in some], known]
        rows = zip(*columns, selected.modseqs(known), strict=True)
        await context.send(b"".join([row % shown for shown in rows]))
        await asyncio.sleep(0)
