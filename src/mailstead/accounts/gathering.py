"""Mailboxes and their names brought together again: what came back from an archive, what lost its name."""

from collections.abc import Callable

from mailstead.accounts import mboxes
from mailstead.accounts.accountleaf import Changed
from mailstead.accounts.folders import Folders
from mailstead.accounts.mboxes import MailboxName, Names, NamesChange, make_superiors
from mailstead.accounts.turns import until_won
from mailstead.crypto.sealed import Kind
from mailstead.mail.mailbox import HIERARCHY
from mailstead.store.annotations import all_annotations
from mailstead.store.database import Database, Tx
from mailstead.store.records import LostRace


async def agree(folders: Folders) -> None:
    """Have names for exactly the mailboxes that are there (`mboxes.agree`)."""

    async def turn(_: int) -> None:
        seen, rows = await folders.names()

        def edit(names: Names) -> NamesChange | None:
            if list(names.values()) != seen:
                raise LostRace
            lost = mboxes.agree(names, {row.mailbox_id for row in rows})
            return None if lost is None else NamesChange([], lost)

        await folders.try_edit(edit)

    await until_won(turn)


async def adopt(
    database: Database,
    account_id: int,
    folders: Folders,
    top: str,
    groups: list[list[MailboxName]],
    also: Callable[[Tx], None],
) -> list[str]:
    """Put each group of mailboxes that *also* brings back below *top*, or a name like it; these names.

    Their annotations come with them.
    """
    places = [n.mailbox_id for come in groups for n in come]

    async def turn(_: int) -> list[str]:
        found = await database.read(lambda tx: all_annotations(tx, account_id, places))
        noted: Changed = [(Kind.METADATA, place, record) for place, record in found.items()]
        put: list[str] = []

        def edit(names: Names) -> NamesChange:
            put[:] = [mboxes.adopt(names, top, come) for come in groups]
            return NamesChange([m for name in put for m in make_superiors(names, name + HIERARCHY)], [])

        def bring(tx: Tx) -> None:
            if all_annotations(tx, account_id, places) != found:
                raise LostRace  # they were sealed again
            also(tx)

        await folders.try_edit(edit, noted, bring)
        return put

    return await until_won(turn)
